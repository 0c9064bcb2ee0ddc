// Downloads, from servers of this machine with the faults that servers have.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { packageRoot } from '#src/native/package-root.js';
import { type ServerFaults, serveFiles, serveProxy } from '../helpers/file-server.js';

interface Fault extends Error {
  readonly code: string;
  readonly exitCode: number;
}
const tool = (name: string) => import(pathToFileURL(join(packageRoot, 'tools', `${name}.mjs`)).href);
const { fetchFile } = (await tool('fetch-file')) as {
  fetchFile(url: string, file: string, options: object): Promise<void>;
};
const { findInIndex } = (await tool('package-index')) as {
  findInIndex(index: string, wheel: { name: string; file: string }): Promise<string>;
};

const scratch = mkdtempSync(join(tmpdir(), 'vssl-fetch-'));
test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

const content = randomBytes(50_000);
const sha256 = createHash('sha256').update(content).digest('hex');

let folders = 0;
/** A server with the file, and a place for it, in which `part` is there already. */
async function begin(t: ExecutionContext, faults: ServerFaults = {}, part?: Buffer) {
  const server = await serveFiles({ '/file': content }, faults);
  t.teardown(server.close);
  const folder = join(scratch, String(folders++));
  mkdirSync(folder);
  const file = join(folder, 'file');
  if (part) writeFileSync(`${file}.part`, part);
  const progress: number[] = [];
  return {
    ...{ server, file, progress },
    get: (more: object = {}) =>
      fetchFile(`${server.url}/file`, file, {
        sha256,
        onProgress: (done: number) => progress.push(done),
        ...more,
      }),
    isWhole: () => !existsSync(`${file}.part`) && readFileSync(file).equals(content),
  };
}

test('a file is put in its place, and told of on the way', async (t) => {
  const { get, isWhole, progress, server } = await begin(t);
  await get();
  t.true(isWhole());
  t.is(progress.at(-1), content.length);
  t.deepEqual(server.requests, ['/file']);
  await get();
  t.is(server.requests.length, 1, 'it is there');
});

test('what is there of it is not loaded again', async (t) => {
  const { get, isWhole, progress, server } = await begin(t, {}, content.subarray(0, 30_000));
  await get();
  t.true(isWhole());
  t.deepEqual(server.requests, ['/file bytes=30000-']);
  t.true(progress[0]! > 30_000);
});

test('all of it is there: nothing more is loaded', async (t) => {
  const { get, isWhole, server } = await begin(t, {}, content);
  await get();
  t.true(isWhole());
  t.deepEqual(server.requests, [`/file bytes=${content.length}-`]);
});

test('more than all of it is there: it begins anew', async (t) => {
  const { get, isWhole } = await begin(t, {}, Buffer.concat([content, Buffer.from('x')]));
  await get();
  t.true(isWhole());
});

test('connections that break off are gone on with', async (t) => {
  const { get, isWhole, server } = await begin(t, { cutAfter: 20_000 });
  await get();
  t.true(isWhole());
  // on a busy machine the end of a connection may overtake what it brought, which is then asked for again
  t.deepEqual([...new Set(server.requests)], ['/file', '/file bytes=20000-', '/file bytes=40000-']);
});

test('a server without ranges, and one that says no length', async (t) => {
  for (const faults of [{ noRanges: true }, { noLength: true }, { noRanges: true, noLength: true }]) {
    const { get, isWhole } = await begin(t, faults, content.subarray(0, 30_000));
    await get();
    t.true(isWhole());
  }
});

test('a file of another digest is deleted, and that is said', async (t) => {
  const { get, file } = await begin(t);
  const fault = await t.throwsAsync<Fault>(get({ sha256: 'f'.repeat(64) }));
  t.regex(fault!.message, new RegExp(`sent a file of SHA-256 ${sha256}, expected f{64}: it was deleted`));
  t.is(fault!.code, 'ERR_VSSL_DOWNLOAD');
  t.false(existsSync(file) || existsSync(`${file}.part`));
});

test('what is there belongs to another file: all of it is loaded', async (t) => {
  const { get, isWhole, server } = await begin(t, {}, Buffer.alloc(30_000));
  await get();
  t.true(isWhole());
  t.deepEqual(server.requests, ['/file bytes=30000-', '/file']);
});

test('a full disk: what is there stays, and the advice is to make room', async (t) => {
  const { get, file } = await begin(t);
  symlinkSync('/dev/full', `${file}.part`);
  const fault = await t.throwsAsync<Fault>(get());
  t.regex(
    fault!.message,
    /file\.part cannot be written: the disk is full\. .*make room, or name another folder/,
  );
  t.is(fault!.code, 'ERR_VSSL_ENVIRONMENT');
  t.is(fault!.exitCode, 3);
});

test('no server, no such file, and a server that is silent, are told at once', async (t) => {
  const { get, server } = await begin(t);
  server.faults.status = 503;
  t.regex((await t.throwsAsync<Fault>(get()))!.message, /\/file answered 503/);
  server.close();
  const gone = await t.throwsAsync<Fault>(get());
  t.regex(gone!.message, /127\.0\.0\.1:\d+\/file cannot be reached: .*ECONNREFUSED/);
  t.is(gone!.code, 'ERR_VSSL_DOWNLOAD');
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as { port: number };
  const limits = { headersTimeout: 200 };
  const late = await t.throwsAsync<Fault>(
    fetchFile(`http://127.0.0.1:${port}/x`, join(scratch, 'late'), { sha256, limits }),
  );
  t.regex(late!.message, /cannot be reached: .*timeout/i);
});

test('a name and password in an address are handed over, to that server alone, and not shown', async (t) => {
  const { server, file } = await begin(t);
  const url = `${server.url}/file?key=secret`.replace('//', '//me:s%65cret@');
  const fault = await t.throwsAsync<Fault>(fetchFile(url, file, { sha256 }));
  t.regex(fault!.message, /127\.0\.0\.1:\d+\/file answered 404/);
  t.is(server.logins.at(-1), 'me:secret');
  const pages = { '/torch/': '<a href="a.whl">here</a><a href="http://localhost:1/b.whl">elsewhere</a>' };
  const index = await serveFiles(pages);
  t.teardown(index.close);
  const find = (name: string) =>
    findInIndex(index.url.replace('//', '//me:secret@'), { name: 'torch', file: name });
  t.is(await find('a.whl'), `${index.url}/torch/a.whl`.replace('//', '//me:secret@'));
  t.is(await find('b.whl'), 'http://localhost:1/b.whl');
  t.notRegex((await t.throwsAsync<Fault>(find('c.whl')))!.message, /secret/);
});

test.serial('by the proxy of the environment, unless NO_PROXY excepts it', async (t) => {
  const proxy = await serveProxy();
  const names = ['HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'];
  const before = names.map((name) => [name, process.env[name]] as const);
  t.teardown(() => {
    proxy.close();
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  });
  for (const name of names) delete process.env[name];
  process.env.HTTP_PROXY = proxy.url;
  const first = await begin(t);
  await first.get();
  t.true(first.isWhole());
  t.deepEqual(proxy.tunnels, [new URL(first.server.url).host]);
  process.env.NO_PROXY = '127.0.0.1';
  const second = await begin(t);
  await second.get();
  t.is(proxy.tunnels.length, 1);
  delete process.env.NO_PROXY;
  process.env.HTTP_PROXY = 'http://me:secret@127.0.0.1:9';
  const third = await begin(t);
  const fault = await t.throwsAsync<Fault>(third.get());
  t.regex(
    fault!.message,
    /cannot be reached by the proxy http:\/\/127\.0\.0\.1:9\/, which the environment names/,
  );
  t.notRegex(fault!.message, /secret/);
});

test('an index is a page of links or JSON; an address may be relative', async (t) => {
  const wheel = { name: 'torch', file: 'torch-2.13.0+cpu-x.whl' };
  const pages = {
    '/html/torch/': `<a href="../../files/torch-2.12.0-x.whl">old</a>
      <a data-x="1" href='/files/torch-2.13.0%2Bcpu-x.whl?a=1&amp;b=2#sha256=0'>torch</a>`,
    '/json/torch/': '{"files":[{"url":"../../files/torch-2.13.0%2Bcpu-x.whl"}]}',
    '/local/torch/': '<a href="file:///files/torch-2.13.0%2Bcpu-x.whl">torch</a><a href="http://[">x</a>',
  };
  const server = await serveFiles(pages);
  t.teardown(server.close);
  t.is(
    await findInIndex(`${server.url}/html`, wheel),
    `${server.url}/files/torch-2.13.0%2Bcpu-x.whl?a=1&b=2#sha256=0`,
  );
  t.is(await findInIndex(`${server.url}/html/`, wheel), await findInIndex(`${server.url}/html`, wheel));
  for (const index of ['local', 'none'])
    await t.throwsAsync(findInIndex(`${server.url}/${index}`, wheel), { code: 'ERR_VSSL_DOWNLOAD' });
});
