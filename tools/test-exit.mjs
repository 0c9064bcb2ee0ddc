// `npm run test:exit [RUNS]`: ends programs while native threads work, in every combination of work and way out, on
// each supported Node.js (from npm's package `node`). Each must end without a crash, with its own exit code, within a
// second.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { log, main, root } from './common.mjs';

const VERSIONS = [20, 22, 24];
const MOST_MILLISECONDS = 1000;

/** Path of the program of a Node.js version: this one's, or that of the package. */
function nodeOf(version) {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath;
  const args = ['--yes', '--package', `node@${version}`, 'node', '--print', 'process.execPath'];
  return execFileSync('npx', args, { encoding: 'utf8' }).trim();
}

await main(async () => {
  const runs = Number(process.argv[2] ?? 210);
  execFileSync(process.execPath, [join(root, 'tools/build-ts.mjs'), '--tests'], { stdio: 'inherit' });
  const helper = (name) => import(pathToFileURL(join(root, `build/test/helpers/${name}.js`)).href);
  const { works, ways } = await helper('exit-child');
  const { runToExit, faultOf } = await helper('exits');
  const { makeTinyVideos } = await helper('tiny-run');
  const nodes = VERSIONS.map(nodeOf);
  const data = (await makeTinyVideos(8)).folder;
  const out = mkdtempSync(join(tmpdir(), 'vssl-exit-'));
  let [passed, failed, slowest] = [0, 0, 0];
  try {
    for (let i = 0; i < runs; i++) {
      const version = Math.floor(i / (works.length * ways.length)) % nodes.length;
      const [work, way] = [works[i % works.length], ways[Math.floor(i / works.length) % ways.length]];
      // From the very beginning of the work to its middle, the same in each test run.
      const leaving = { work, way, delay: (i * 137) % 1500, data, out: join(out, String(i)) };
      const exit = await runToExit(leaving, nodes[version]);
      const fault = faultOf(leaving, exit, MOST_MILLISECONDS);
      if (fault) {
        failed++;
        log(`Node ${VERSIONS[version]}, ${way} during ${work} after ${leaving.delay} ms: ${fault}`);
      } else {
        passed++;
        slowest = Math.max(slowest, exit.milliseconds);
      }
    }
  } finally {
    for (const folder of [data, out]) rmSync(folder, { recursive: true, force: true });
  }
  console.log(`slowest exit: ${slowest} ms`);
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
});
