import { answer, apiUrl } from './http';

interface Description {
  paths: Record<string, Record<string, { summary?: string; description?: string } | undefined>>;
}

const PREFIX = '/api/v1';

/** What each route does, in the words of the manager's own description: `GET /pools` → "Every pool …". */
export async function summaries(signal: AbortSignal): Promise<Map<string, string>> {
  const read = fetch(apiUrl('openapi.json'), { signal }).then(async (response) => {
    const body: unknown = await response.json().catch(() => undefined);
    return response.ok ? { data: body as Description, response } : { error: body, response };
  });
  const { paths } = (await answer<Description>(read)) as Description;
  const said = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, about]): [string, string] => [
      `${method.toUpperCase()} ${path.slice(PREFIX.length)}`,
      about?.summary ?? about?.description ?? '',
    ]),
  );
  return new Map(said);
}
