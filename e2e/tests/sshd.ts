import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

import { freePort } from './manager';

const READY_MS = 30_000;

/** A real OpenSSH server on loopback, whose one user is the one who runs the tests. */
export interface Sshd {
  port: number;
  user: string;
  /** A folder that is gone with it. */
  folder: string;
  /** Its host key, as `known_hosts` has it behind the name. */
  hostKey: string;
  /** Lets the holder of this key in. */
  authorize(publicKey: string): void;
  stop(): Promise<void>;
}

/** Makes a key pair in a folder; `args` of ssh-keygen, such as a passphrase. */
export function makeKey(folder: string, name: string, passphrase = ''): { path: string; text: string; line: string } {
  const path = join(folder, name);
  keygen('-q', '-t', 'ed25519', '-N', passphrase, '-C', name, '-f', path);
  return { path, text: readFileSync(path, 'utf8'), line: readFileSync(`${path}.pub`, 'utf8').trim() };
}

export function keygen(...args: string[]): string {
  const ran = spawnSync('ssh-keygen', args, { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`ssh-keygen ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

/** Starts one; `more` are lines of its sshd_config. */
export async function startSshd(...more: string[]): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'p2ppool-e2e-sshd-'));
  const user = userInfo().username;
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true });
  const host = makeKey(folder, 'host_key');
  const port = await freePort();
  const authorized = join(folder, 'authorized_keys');
  writeFileSync(authorized, '');
  const config = join(folder, 'sshd_config');
  writeFileSync(
    config,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${host.path}`,
      `AuthorizedKeysFile ${authorized}`,
      'PidFile none',
      'UsePAM no',
      'StrictModes no',
      'PasswordAuthentication no',
      ...more,
      '',
    ].join('\n'),
  );
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const stop = async () => {
    if (child.exitCode === null) {
      const gone = new Promise((go) => child.once('exit', go));
      child.kill();
      await gone;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = Date.now() + READY_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`sshd does not listen: ${said}`);
    }
  }
  const [kind, key] = host.line.split(' ');
  return {
    port,
    user,
    folder,
    hostKey: `${kind} ${key}`,
    authorize: (line) => appendFileSync(authorized, `${line}\n`),
    stop,
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((tell) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      tell(true);
    });
    socket.once('error', () => setTimeout(() => tell(false), 50));
  });
}
