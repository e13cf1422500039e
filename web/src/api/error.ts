/** A request that did not succeed: what was asked, why not, and the id that the manager's log knows it by. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 when no answer came at all. */
    readonly status: number,
    readonly code: string,
    readonly field: string | undefined = undefined,
    readonly requestId: string | undefined = undefined,
    readonly details: unknown = undefined,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The error of an answer's body; a body that isn't the API's own error form is told by its status. */
export function errorOf(status: number, body: unknown): ApiError {
  const error = (body as { error?: Record<string, unknown> } | null)?.error;
  if (error && typeof error['message'] === 'string') {
    const text = (key: string) => (typeof error[key] === 'string' ? (error[key] as string) : undefined);
    return new ApiError(
      error['message'],
      status,
      text('code') ?? 'unknown',
      text('field'),
      text('request_id'),
      error['details'],
    );
  }
  return new ApiError(`The manager answered with HTTP status ${status}.`, status, 'unknown');
}

/** Anything that was thrown, as an error that can be shown. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof TypeError) {
    return new ApiError('The manager can’t be reached. Is p2ppool still running?', 0, 'offline');
  }
  return new ApiError(String(thrown), 0, 'unknown');
}

/** What a person can do about an error, where the error itself doesn't say. */
export function adviceFor(error: ApiError): string | undefined {
  if (error.code === 'replaced') return undefined;
  if (error.status === 0) return 'Nothing is lost: the page tries again by itself as soon as it can.';
  if (error.status === 401) return 'Log in and do it again.';
  if (error.status === 403) return 'Ask an administrator of this manager for it.';
  if (error.status === 404) return 'It may have been deleted or renamed meanwhile.';
  if (error.status === 408 || error.status === 503 || error.status === 504) {
    return 'The manager is busy. Try again in a moment.';
  }
  if (error.status >= 500) return 'This is a fault of the manager; its log tells more under the request id.';
  return undefined;
}
