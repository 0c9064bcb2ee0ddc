/**
 * One process works in a folder: trains in a run folder, writes to an index. The lock is a file naming its holder; it
 * appears whole in one step (a hard link to a written file), so it is never seen half made. A holder that is dead, or whose process number now belongs to another
 * process, has lost it. So has a worker thread that was terminated, although its process lives: it listens on a socket
 * that ends with the thread, however that ends, and to which the system answers even while the thread computes. A holder
 * on another machine is taken for alive while it renews the file's time.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { VsslError } from '../errors.js';

export const LOCK_NAME = 'lock';
const RENEW_MS = 30_000;
const REMOTE_STALE_MS = 5 * 60_000;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one with the same number; '' where the system does not say. */
  readonly started: string;
  readonly token: string;
  /** Of a worker thread: the socket that it listens on; null where none can be had. */
  readonly socket?: string | null;
}

/** What a lock is for, as the message to whoever comes second says it. */
export interface LockUse {
  /** 'training in' */
  readonly doing: string;
  /** 'choose another --out' */
  readonly advice: string;
}

export interface FolderLock {
  release(): Promise<void>;
}

/** Throws ERR_VSSL_LOCKED when another living process (or another holder in this one) has the folder. */
export async function lockFolder(folder: string, use: LockUse): Promise<FolderLock> {
  const token = randomBytes(8).toString('hex');
  // a main thread lives as long as its process
  const life = isMainThread ? null : await listenAs(token);
  try {
    return await take(folder, use, token, life);
  } catch (error) {
    life?.end();
    throw error;
  }
}

/** Whether a living process has the folder. Takes nothing. */
export async function isLocked(folder: string): Promise<boolean> {
  const path = join(folder, LOCK_NAME);
  const holder = parseHolder(await readFile(path, 'utf8').catch(() => ''));
  return holder !== null && (await isAlive(holder, path));
}

async function take(
  folder: string,
  use: LockUse,
  token: string,
  life: SignOfLife | null,
): Promise<FolderLock> {
  const path = join(folder, LOCK_NAME);
  const me: Holder = {
    pid: process.pid,
    host: hostname(),
    started: processStart(process.pid),
    token,
    ...(life && { socket: life.socket }),
  };
  const mine = JSON.stringify(me);
  for (let attempt = 0; attempt < 10; attempt++) {
    if (await create(path, mine, me.token)) return hold(path, mine, life);
    const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (found === null) continue;
    const holder = parseHolder(found);
    if (holder && (await isAlive(holder, path))) throw lockedBy(folder, use, path, holder);
    await removeStale(path, found, me.token);
  }
  throw new VsslError('ERR_VSSL_LOCKED', `${path} keeps changing: several processes want ${folder} at once`);
}

async function create(path: string, content: string, token: string): Promise<boolean> {
  const written = `${path}.${token}`;
  await writeFile(written, content);
  try {
    await link(written, path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return false;
    // A file system without hard links: exclusive creation is the next best.
    return await writeFile(path, content, { flag: 'wx' }).then(
      () => true,
      (second: NodeJS.ErrnoException) => {
        if (second.code === 'EEXIST') return false;
        throw second;
      },
    );
  } finally {
    await rm(written, { force: true });
  }
}

function hold(path: string, mine: string, life: SignOfLife | null): FolderLock {
  const renew = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, RENEW_MS);
  renew.unref();
  const removeMine = () => {
    try {
      if (readFileSync(path, 'utf8') === mine) rmSync(path, { force: true });
    } catch {
      // gone already: nothing to give back
    }
  };
  giveBackAtExit(removeMine);
  return {
    release: async () => {
      clearInterval(renew);
      held.delete(removeMine);
      removeMine();
      life?.end();
    },
  };
}

/** What gives the locks of this thread back. */
const held = new Set<() => void>();

/** One listener for all of them: a process may hold any number. */
function giveBackAtExit(remove: () => void): void {
  if (held.size === 0 && !process.listeners('exit').includes(giveAllBack)) process.on('exit', giveAllBack);
  held.add(remove);
}

function giveAllBack(): void {
  for (const remove of held) remove();
}

/** Moves the lock away, and puts it back when it turns out to be a newer one than the one found stale. */
async function removeStale(path: string, found: string, token: string): Promise<void> {
  const away = `${path}.stale-${token}`;
  try {
    await rename(path, away);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(away, 'utf8').catch(() => found)) !== found) await link(away, path).catch(() => {});
  await rm(away, { force: true });
}

async function isAlive(holder: Holder, path: string): Promise<boolean> {
  if (holder.host !== hostname()) {
    const age = await stat(path).then(
      (s) => Date.now() - s.mtimeMs,
      () => Number.POSITIVE_INFINITY,
    );
    return age < REMOTE_STALE_MS;
  }
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  if (holder.started !== processStart(holder.pid)) return false;
  return !holder.socket || (await answers(holder.socket));
}

interface SignOfLife {
  readonly socket: string | null;
  end(): void;
}

/** Listens on a socket of this thread's own. Where that is refused the process alone is the sign of life. */
async function listenAs(token: string): Promise<SignOfLife> {
  const name = `vssl-native-${token}`;
  const socket =
    process.platform === 'win32'
      ? `\\\\.\\pipe\\${name}`
      : process.platform === 'linux'
        ? `\0${name}` // of no file system: nothing is left behind
        : join(tmpdir(), name);
  const server = createServer((connection) => connection.destroy());
  const listens = await new Promise<boolean>((done) => {
    server.once('error', () => done(false));
    server.listen(socket, () => done(true));
  });
  server.unref();
  server.on('error', () => {});
  return { socket: listens ? socket : null, end: () => server.close() };
}

/** Whether somebody listens there; no answer that says otherwise counts as yes. */
function answers(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const connection = connect(socket, () => {
      connection.destroy();
      done(true);
    });
    connection.once('error', ({ code }: NodeJS.ErrnoException) =>
      done(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}

function parseHolder(text: string): Holder | null {
  try {
    const value = JSON.parse(text) as Holder;
    return Number.isInteger(value?.pid) && value.pid > 0 && typeof value.host === 'string' ? value : null;
  } catch {
    return null;
  }
}

/** Linux: boot identity and start time in clock ticks; a zombie counts as gone. Elsewhere ''. */
function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces: fields are counted from the last ')'.
    const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (rest[0] === 'Z' || rest[0] === 'X') return 'gone';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${rest[19]}`;
  } catch {
    return '';
  }
}

function lockedBy(folder: string, { doing, advice }: LockUse, path: string, holder: Holder): VsslError {
  const { pid, host } = holder;
  const isHere = host === hostname();
  const where = isHere ? '' : ` on ${host}`;
  const way = isHere
    ? `wait for it, or ${advice}`
    : `wait for it, ${advice}, or remove ${path} when that process is certainly gone`;
  return new VsslError('ERR_VSSL_LOCKED', `process ${pid}${where} is ${doing} ${folder}: ${way}`, {
    details: { folder, pid, host },
  });
}
