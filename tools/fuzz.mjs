// npm run test:fuzz [-- --minutes N --target NAME]: hostile input by the million, see docs/fuzzing.md.
// Native targets run under libFuzzer (clang), the TypeScript readers under a mutator of the project's own.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildTypeScript } from './build.mjs';
import { have, jobs, log, main, root, run, ToolError } from './common.mjs';

const build = join(root, 'build/fuzz');
const findings = join(root, 'build/fuzz-findings');
const NATIVE = ['decode', 'plan', 'packed'];
const TYPESCRIPT = ['safetensors', 'torch', 'manifest', 'tar', 'config', 'facts'];
/** Corpora in the repository, together, stay below this. */
const CORPUS_BYTES = { decode: 120_000, plan: 40_000, packed: 20_000 };

function buildTargets() {
  if (!have('clang++'))
    throw new ToolError('clang is needed; on Debian: apt-get install clang libclang-rt-14-dev', 3);
  const started = performance.now();
  log('building the fuzz targets (clang)');
  const defines = ['ENGINE=OFF', 'TESTS=OFF', 'CUDA=OFF', 'FUZZ=ON'].map((define) => `-DVSSL_${define}`);
  run('cmake', ['-S', root, '-B', build, '-G', 'Ninja', '-DCMAKE_CXX_COMPILER=clang++', ...defines]);
  run('cmake', ['--build', build, '--target', 'vssl_fuzz', '--parallel', String(jobs())]);
  log(`built in ${((performance.now() - started) / 1000).toFixed(0)} s`);
}

/** Runs a program at low priority; resolves with its exit code and all that it wrote to stderr. */
function runToEnd(program, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn('nice', ['-n', '10', program, ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (part) => {
      // Progress lines by the thousand; what counts is at the end.
      text = (text + part).slice(-200_000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: signal ?? code, text }));
  });
}

/** The line of the report that says what happened, and the first frame that is not the sanitizer's or libc's. */
function readReport(text) {
  const what =
    /^(?:BROKEN PROMISE: .*|.*runtime error: .*|==\d+==\s*ERROR: .*|SUMMARY: .*)$/m.exec(text)?.[0] ??
    text.trim().split('\n').at(-1);
  const frames = [...text.matchAll(/^\s+#\d+ 0x[0-9a-f]+ (?:in )?(.*)$/gm)].map((match) => match[1]);
  const own = frames.find(
    (frame) =>
      !/asan|sanitizer|ubsan|Fuzzer|libc\.so|libstdc\+\+|__interceptor|\(<unknown module>\)/.test(frame),
  );
  return { what, frame: own ?? 'no stack', inFfmpeg: /\/lib(?:av|sw)\w+\.so/.test(own ?? '') };
}

/** One native target for so many seconds. A fault inside FFmpeg's own code is noted, and the run goes on. */
async function runNative(target, seconds) {
  const corpus = join(build, 'corpus', target);
  const seeds = join(build, 'seeds', target);
  const kept = join(root, 'native/tests/fuzz/corpus', target);
  for (const folder of [corpus, findings, kept]) mkdirSync(folder, { recursive: true });
  rmSync(seeds, { recursive: true, force: true });
  mkdirSync(seeds, { recursive: true });
  // Encoders leak, and chatter.
  const quiet = { stdio: 'ignore', env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' } };
  run(join(build, 'fuzz_write_seeds'), [target, seeds], quiet);
  const scratch = mkdtempSync(join(tmpdir(), 'vssl-fuzz-'));
  const env = (leaks) => ({
    TMPDIR: scratch,
    ASAN_OPTIONS: `allocator_may_return_null=1:detect_leaks=${leaks}`,
    UBSAN_OPTIONS: 'print_stacktrace=1',
  });
  const common = [
    `-max_len=${target === 'decode' ? 1 << 16 : 4096}`,
    // A picture may have 2^27 pixels, which takes seconds under the sanitizers.
    '-timeout=60',
    '-rss_limit_mb=3000',
    '-print_final_stats=1',
    `-artifact_prefix=${join(findings, `${target}-`)}`,
  ];
  const faults = [];
  const foreign = [];
  let runs = 0;
  /** Whether it ended well. What it found is noted. */
  const start = async (args, leaks) => {
    const { code, text } = await runToEnd(join(build, `fuzz_${target}`), [...common, ...args], env(leaks));
    runs += Number(/number_of_executed_units:\s*(\d+)/.exec(text)?.[1] ?? 0);
    if (code === 0) return true;
    const report = readReport(text);
    writeFileSync(join(findings, `${target}-${Date.now()}.log`), text);
    const file = /Test unit written to (.*)/.exec(text)?.[1] ?? 'no file';
    (report.inFfmpeg ? foreign : faults).push({ ...report, file });
    return false;
  };
  const end = performance.now() + seconds * 1000;
  try {
    while (performance.now() < end && faults.length === 0) {
      const left = Math.max(1, Math.round((end - performance.now()) / 1000));
      if (await start([`-max_total_time=${left}`, corpus, seeds, kept], 0)) break;
    }
    // Leaks are looked for at the end, once an input: looking after each run takes most of the time.
    if (faults.length === 0) await start(['-runs=0', corpus, seeds, kept], 1);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  for (const { what, frame, file } of foreign) log(`  inside FFmpeg: ${what}\n    ${frame}\n    ${file}`);
  for (const { what, frame, file } of faults) log(`  FAULT: ${what}\n    ${frame}\n    ${file}`);
  log(`${target}: ${runs} runs, ${faults.length} faults, ${foreign.length} inside FFmpeg`);
  return faults.length === 0;
}

/** One TypeScript reader: build/test/fuzz/run.js says what it does. */
async function runTypeScript(target, seconds) {
  const { code, text } = await runToEnd(process.execPath, [
    '--max-old-space-size=512',
    join(root, 'build/test/fuzz/run.js'),
    target,
    String(seconds),
    findings,
  ]);
  log(text.trim());
  return code === 0;
}

/** Minimises what was found into the corpus that the repository keeps. */
function keepCorpus(target) {
  const into = join(root, 'native/tests/fuzz/corpus', target);
  const merged = join(build, 'merged', target);
  rmSync(merged, { recursive: true, force: true });
  for (const folder of [merged, into]) mkdirSync(folder, { recursive: true });
  run(join(build, `fuzz_${target}`), [
    '-merge=1',
    '-timeout=60',
    merged,
    into,
    join(build, 'corpus', target),
  ]);
  // The smallest first: most of what there is to see, in the fewest bytes.
  const files = readdirSync(merged)
    .map((name) => ({ name, size: statSync(join(merged, name)).size }))
    .sort((a, b) => a.size - b.size);
  let bytes = 0;
  for (const { name, size } of files) {
    bytes += size;
    if (bytes > CORPUS_BYTES[target]) break;
    writeFileSync(join(into, name), readFileSync(join(merged, name)));
  }
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      target: { type: 'string', multiple: true },
      keep: { type: 'boolean' },
    },
  });
  const all = [...NATIVE, ...TYPESCRIPT];
  const targets = values.target ?? all;
  const unknown = targets.find((target) => !all.includes(target));
  if (unknown) throw new ToolError(`there is no target '${unknown}'; there are ${all.join(', ')}`, 2);
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new ToolError(`expected minutes above 0 but got '${values.minutes}'`, 2);
  if (targets.some((target) => NATIVE.includes(target))) buildTargets();
  if (targets.some((target) => TYPESCRIPT.includes(target))) buildTypeScript();
  let passed = 0;
  let failed = 0;
  for (const target of targets) {
    log(`fuzzing ${target} for ${minutes} minutes`);
    const sound = await (NATIVE.includes(target) ? runNative : runTypeScript)(target, minutes * 60);
    if (values.keep && NATIVE.includes(target)) keepCorpus(target);
    if (sound) passed++;
    else failed++;
  }
  if (failed > 0) process.exitCode = 1;
  console.log(`${passed} passed, ${failed} failed`);
});
