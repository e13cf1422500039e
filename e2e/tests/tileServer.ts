import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32, deflateSync } from 'node:zlib';

/** The colour of every tile. */
export const TILE_COLOUR = [200, 40, 60] as const;
const PIXELS = 256;

/** A server of picture tiles on loopback. */
export interface TileServer {
  origin: string;
  /** Paths that were asked for. */
  asked: string[];
  /** From now on it has no tiles. */
  fail(): void;
  stop(): Promise<void>;
}

export async function startTileServer(): Promise<TileServer> {
  const tile = picture();
  const asked: string[] = [];
  let failing = false;
  const server: Server = createServer((request, answer) => {
    asked.push(request.url ?? '');
    if (failing) answer.writeHead(500).end();
    else answer.writeHead(200, { 'content-type': 'image/png', 'cache-control': 'no-store' }).end(tile);
  });
  await new Promise<void>((listens) => server.listen(0, '127.0.0.1', listens));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    asked,
    fail: () => {
      failing = true;
    },
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped());
        server.closeAllConnections();
      }),
  };
}

/** A PNG of one colour: signature, header, rows of RGB without filter, end (https://www.w3.org/TR/png/). */
function picture(): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(PIXELS, 0);
  header.writeUInt32BE(PIXELS, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.of(0), Buffer.concat(Array.from({ length: PIXELS }, () => Buffer.from(TILE_COLOUR)))]);
  const rows = Buffer.concat(Array.from({ length: PIXELS }, () => line));
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
