// Downloads one file over HTTP, by what is known of it beforehand: its SHA-256. What was loaded of it stays beside it in
// NAME.part, whatever ends the download, and the next one goes on from there.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
// What HTTP_PROXY, HTTPS_PROXY and NO_PROXY mean, in all their spellings.
import { getProxyForUrl } from 'proxy-from-env';
// Node's own fetch as a package: that inside Node takes no proxy but from a package of its own version.
import { Agent, fetch, ProxyAgent } from 'undici';
import { ToolError } from './common.mjs';

/** What a server or the way to it may take: to connect, to answer, and between two pieces of a body. */
const LIMITS = { connect: { timeout: 10_000 }, headersTimeout: 30_000, bodyTimeout: 60_000 };
/** How often a download that has got something is tried again without getting more. */
const TRIES = 3;

/** The file could not be had from there; it may be had from elsewhere. */
export const unavailable = (message) => new ToolError(message, 3, 'ERR_VSSL_DOWNLOAD');

/**
 * A response for `url`, by the proxy that the environment names; a name and password in `url` are handed over. Throws
 * ERR_VSSL_DOWNLOAD unless it is 200 or `also`.
 */
export async function request(url, { headers = {}, signal, also = [], limits = LIMITS } = {}) {
  const proxy = getProxyForUrl(url);
  const { username, password } = new URL(url);
  const login = [username, password].map(decodeURIComponent).join(':');
  const authorization = username && { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
  let response;
  try {
    const dispatcher = proxy ? new ProxyAgent({ uri: proxy, ...limits }) : new Agent(limits);
    response = await fetch(bare(url), { headers: { ...headers, ...authorization }, signal, dispatcher });
  } catch (error) {
    if (signal?.aborted) throw error;
    const by = proxy ? ` by the proxy ${shown(proxy)}, which the environment names` : '';
    throw unavailable(`${shown(url)} cannot be reached${by}: ${reasonOf(error)}`);
  }
  if (response.status === 200 || also.includes(response.status)) return response;
  await response.body?.cancel();
  throw unavailable(`${shown(url)} answered ${response.status} ${response.statusText}`.trim());
}

/**
 * Puts the file of `url` at `file`. `onProgress(loaded, total)`: bytes, `total` 0 where the server does not say. A file
 * that is there already is left, one of another digest is deleted. Throws ERR_VSSL_DOWNLOAD, or ERR_VSSL_ENVIRONMENT where
 * it cannot be written.
 */
export async function fetchFile(url, file, { sha256, signal, onProgress = () => {}, limits }) {
  if (existsSync(file) && (await digestOf(file)) === sha256) return;
  const part = `${file}.part`;
  const resumed = sizeOf(part) > 0;
  mkdirSync(dirname(file), { recursive: true });
  for (let gained = false, idle = 0; ; ) {
    const before = sizeOf(part);
    try {
      if (await load(url, part, { signal, onProgress, limits })) break;
      throw unavailable(`${shown(url)} ended in the middle of the file`);
    } catch (error) {
      const more = sizeOf(part) > before;
      gained ||= more;
      idle = more ? 0 : idle + 1;
      if (error.code !== 'ERR_VSSL_DOWNLOAD' || !gained || idle > TRIES) throw error;
      await setTimeout(1000 * idle, undefined, { signal });
    }
  }
  const found = await digestOf(part);
  if (found !== sha256) {
    rmSync(part);
    // What was there before may be of another file: the whole of it again is another matter.
    if (resumed) return fetchFile(url, file, { sha256, signal, onProgress, limits });
    throw unavailable(`${shown(url)} sent a file of SHA-256 ${found}, expected ${sha256}: it was deleted`);
  }
  renameSync(part, file);
}

/** Loads what `part` lacks; whether it is whole then, as far as the server says. */
async function load(url, part, { signal, onProgress, limits }) {
  const have = sizeOf(part);
  const headers = { 'accept-encoding': 'identity', ...(have > 0 && { range: `bytes=${have}-` }) };
  const response = await request(url, { headers, signal, also: [206, 416], limits });
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (response.status === 416) {
    await response.body?.cancel();
    if (Number(range?.[2]) === have) return true;
    rmSync(part);
    return load(url, part, { signal, onProgress, limits });
  }
  // A server without ranges sends it all again.
  const from = response.status === 206 && Number(range?.[1]) === have ? have : 0;
  const total =
    response.status === 206 ? Number(range?.[2]) || 0 : Number(response.headers.get('content-length') ?? 0);
  const target = await open(part, from > 0 ? 'a' : 'w').catch((error) => unwritable(part, error));
  let loaded = from;
  try {
    for await (const chunk of response.body) {
      await target.writeFile(chunk).catch((error) => unwritable(part, error));
      loaded += chunk.length;
      onProgress(loaded, total);
    }
  } catch (error) {
    if (signal?.aborted || error instanceof ToolError) throw error;
    throw unavailable(`${shown(url)} broke off: ${reasonOf(error)}`);
  } finally {
    await target.close();
  }
  return total === 0 || loaded === total;
}

export async function digestOf(file) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

const sizeOf = (file) => (existsSync(file) ? statSync(file).size : 0);

function unwritable(file, error) {
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  throw new ToolError(
    `${file} cannot be written: ${full ? 'the disk is full' : error.message}. What is there of it stays, and the same ` +
      `command goes on; ${full ? 'make room, or name' : 'name'} another folder in VSSL_CACHE`,
    3,
    'ERR_VSSL_ENVIRONMENT',
  );
}

/** Without a name and password. */
function bare(url) {
  const copy = new URL(url);
  copy.username = copy.password = '';
  return copy;
}

/** An address as it may be shown. */
export function shown(url) {
  if (!URL.canParse(url)) return `'${url}'`;
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** What is behind fetch's 'fetch failed'. */
function reasonOf({ message, cause }) {
  return cause?.errors?.[0]?.message ?? cause?.message ?? message;
}
