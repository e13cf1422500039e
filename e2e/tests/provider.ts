import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export const CLIENT = 'p2ppool';
export const SECRET = 'e2e-client-secret';
const BODY_MAX = 64 * 1024;
const TOKEN_S = 300;
const KEY_ID = 'one';

/** Who can log in at the provider by pressing the button with their name. */
export interface Somebody {
  name: string;
  groups: string[];
  /** What this provider does wrong for them. */
  wrong?: 'state' | 'signature';
}

/** An OpenID Connect provider with a page of its own. */
export interface Provider {
  issuer: string;
  /** Nothing listens there any more. */
  stop(): Promise<void>;
}

interface Grant {
  challenge: string;
  claims: Record<string, unknown>;
  key: KeyObject;
}

/**
 * Starts a small provider: a page to log in at, signed tokens, and it checks what clients must prove. It is at
 * `localhost`, which is another site than the manager's 127.0.0.1: cookies cross over as they do with a real one.
 */
export async function startProvider(people: Somebody[]): Promise<Provider> {
  const [known, unknown] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const codes = new Map<string, Grant>();
  let issuer = '';

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', issuer);
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /.well-known/openid-configuration':
        return json(response, 200, describe(issuer));
      case 'GET /keys':
        return json(response, 200, {
          keys: [{ ...known.publicKey.export({ format: 'jwk' }), kid: KEY_ID, use: 'sig' }],
        });
      case 'GET /authorize':
        return html(
          response,
          asked(url).client_id === CLIENT ? loginPage(people) : '<h1>Unknown client</h1>',
        );
      case 'POST /authorize':
        return void body(request).then((form) => redirect(response, answerTo(url, form.get('person') ?? '')));
      case 'POST /token':
        return void body(request).then((form) => exchange(request, response, form));
      default:
        return json(response, 404, { error: 'not_found' });
    }
  });

  /** The person has pressed a button: the address that the browser is sent back to. */
  function answerTo(url: URL, name: string): string {
    const { redirect_uri, state, nonce, code_challenge } = asked(url);
    const back = new URL(redirect_uri);
    const person = people.find((person) => person.name === name);
    back.searchParams.set('state', person?.wrong === 'state' ? 'forged' : state);
    if (!person) {
      back.searchParams.set('error', 'access_denied');
      back.searchParams.set('error_description', '<b>Call the office</b>');
      return back.href;
    }
    const code = randomBytes(16).toString('hex');
    const now = Math.floor(Date.now() / 1000);
    codes.set(code, {
      challenge: code_challenge,
      key: person.wrong === 'signature' ? unknown.privateKey : known.privateKey,
      claims: {
        iss: issuer,
        aud: CLIENT,
        sub: `subject of ${name}`,
        preferred_username: name,
        groups: person.groups,
        nonce,
        iat: now,
        exp: now + TOKEN_S,
      },
    });
    back.searchParams.set('code', code);
    return back.href;
  }

  function exchange(request: IncomingMessage, response: ServerResponse, form: URLSearchParams): void {
    const basic = `Basic ${Buffer.from(`${CLIENT}:${SECRET}`).toString('base64')}`;
    if (request.headers.authorization !== basic) return json(response, 401, { error: 'invalid_client' });
    const code = form.get('code') ?? '';
    const grant = codes.get(code);
    codes.delete(code);
    const proof = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (!grant || proof !== grant.challenge) return json(response, 400, { error: 'invalid_grant' });
    const id_token = jwt(grant.claims, grant.key);
    json(response, 200, { access_token: 'unused', token_type: 'Bearer', expires_in: TOKEN_S, id_token });
  }

  await new Promise<void>((up, failed) => server.once('error', failed).listen(0, '127.0.0.1', up));
  const address = server.address();
  issuer = `http://localhost:${typeof address === 'object' && address ? address.port : 0}`;
  return { issuer, stop: () => stop(server) };
}

function describe(issuer: string) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['EdDSA'],
  };
}

function asked(url: URL) {
  const of = (name: string) => url.searchParams.get(name) ?? '';
  return {
    client_id: of('client_id'),
    redirect_uri: of('redirect_uri'),
    state: of('state'),
    nonce: of('nonce'),
    code_challenge: of('code_challenge'),
  };
}

function loginPage(people: Somebody[]): string {
  const buttons = [...people.map(({ name }) => name), 'nobody'].map(
    (name) => `<button name="person" value="${name}">Go on as ${name}</button>`,
  );
  return `<h1>Provider</h1><form method="post">${buttons.join('')}</form>`;
}

function jwt(claims: Record<string, unknown>, key: KeyObject): string {
  const head = { alg: 'EdDSA', kid: KEY_ID, typ: 'JWT' };
  const text = [head, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

async function body(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const part of request) {
    text += String(part);
    if (text.length > BODY_MAX) throw new Error(`a request of more than ${BODY_MAX} characters`);
  }
  return new URLSearchParams(text);
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function html(response: ServerResponse, text: string): void {
  response
    .writeHead(200, { 'content-type': 'text/html' })
    .end(`<!doctype html><title>Provider</title>${text}`);
}

function redirect(response: ServerResponse, to: string): void {
  response.writeHead(303, { location: to }).end();
}

function stop(server: Server): Promise<void> {
  return new Promise((stopped) => {
    server.close(() => stopped());
    server.closeAllConnections();
  });
}
