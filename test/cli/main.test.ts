import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));

/** Runs the command line with an addon folder that holds none: what works so needs none. */
function cli(...args: string[]) {
  const env = { ...process.env, NO_COLOR: '1', VSSL_NATIVE_BINDING: '/nonexistent' };
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
}

test('help and version', (t) => {
  for (const args of [['--help'], ['help'], ['train', '--help'], ['help', 'train']]) {
    const { status, stdout } = cli(...args);
    t.is(status, 0, args.join(' '));
    t.regex(stdout, /Usage: vssl-native/);
  }
  t.regex(cli('--help').stdout, /train .*\n(.*\n)*.*presets/);
  t.regex(cli('--version').stdout, /^\d+\.\d+\.\d+/);
});

test('help loads no addon', (t) => {
  const probe = `
    const before = process.dlopen;
    process.dlopen = () => { console.log('LOADED'); process.exit(9); };
    process.argv = [process.argv[0], 'vssl-native', '--help'];
    await import(${JSON.stringify(import.meta.resolve('#src/cli/main.js'))});`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', probe], {
    encoding: 'utf8',
  });
  t.is(status, 0);
  t.false(stdout.includes('LOADED'));
});

test('wrong usage ends with 2 and says what is wrong', (t) => {
  const cases: [string[], RegExp][] = [
    [[], /Usage/],
    [['tran'], /Did you mean train/],
    [['train', '--presett', 'x'], /Did you mean --preset/],
    [['train', 'extra'], /too many arguments/],
    [['train'], /--preset/],
    [['train', '--preset', 'cvrl-tiny', '--max-steps', '0'], /whole number from 1/],
    [['train', '--preset', 'cvrl-tiny', '--device', 'tpu'], /Allowed choices are auto, cpu, cuda/],
    [['train', '--preset', 'cvrl-tni', '--data', '.', '--out', 'x'], /did you mean 'cvrl-tiny'/],
    [['train', '--preset', 'cvrl-tiny', '--data', '.'], /'out'/],
    [['train', '--preset', 'cvrl-tiny', '--out', 'x'], /'data.path'/],
    [
      ['train', '--preset', 'cvrl-tiny', '--data', '.', '--out', 'x', '--set', 'train.batchs=3'],
      /did you mean 'train.batch'/,
    ],
    [
      ['train', '--preset', 'cvrl-tiny', '--data', '.', '--out', 'x', '--set', 'train.batch=no'],
      /train\.batch/,
    ],
    [['methods', 'nope'], /cvrl/],
    [['prepare', '--data', '.', '--out', 'x', '--format', 'png'], /Allowed choices are raw, jpeg/],
    [['prepare', '--data', '.', '--out', 'x', '--format', 'jpeg', '--flow'], /a JPEG copy has none/],
    [['prepare', '--data', '.', '--out', 'x', '--quality', '5'], /'raw'.*quality/],
    [['bench', 'kernels', '--filter', 'no such case'], /--list/],
    [['bench', 'kernels', '--filter', '('], /--filter/],
    [['bench', 'kernels', '--pairs', '0'], /whole number from 1/],
    [['bench', 'step', '--filter', 'no such case'], /--list/],
    [['bench', 'step', '--add'], /--add expected --out/],
    [['bench', 'loader', '--filter', 'no such case'], /--list/],
    [['bench', 'embed', '--threads', '0'], /whole number from 1/],
    [['bench', 'embed', '--peers', '('], /--peers/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = cli(...args);
    t.is(status, 2, args.join(' '));
    t.regex(stderr, message, args.join(' '));
    t.false(stderr.includes('    at '), 'a stack was shown');
  }
});

test('data that is not there ends with 4; --verbose shows the stack', (t) => {
  const args = [
    'train',
    '--preset',
    'cvrl-tiny',
    '--data',
    '/nonexistent/videos',
    '--out',
    join(tmpdir(), 'never'),
  ];
  const { status, stderr } = cli(...args);
  t.is(status, 4);
  t.regex(stderr, /\/nonexistent\/videos/);
  t.regex(cli(...args, '--verbose').stderr, /\n\s+at /);
});

test('a missing addon ends with 3 and says how to get it', (t) => {
  const data = mkdtempSync(join(tmpdir(), 'vssl-cli-'));
  writeFileSync(join(data, 'a.mp4'), 'no video');
  const out = join(data, 'run');
  const probe = `
    process.dlopen = () => { throw new Error('not here'); };
    process.argv = [process.argv[0], 'vssl-native', 'train', '--preset', 'cvrl-tiny', '--data', ${JSON.stringify(data)}, '--out', ${JSON.stringify(out)}];
    await import(${JSON.stringify(import.meta.resolve('#src/cli/main.js'))});`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', probe], {
    encoding: 'utf8',
  });
  t.is(status, 3, stderr);
  t.regex(stderr, /vssl-native (setup|build)/);
});

test('a GPU that cannot be used ends with 3, before anything is made: what was looked for, and what to do', (t) => {
  const data = mkdtempSync(join(tmpdir(), 'vssl-cli-'));
  writeFileSync(join(data, 'a.mp4'), 'no video');
  const out = join(data, 'run');
  const env = { ...process.env, NO_COLOR: '1', CUDA_VISIBLE_DEVICES: '', VSSL_ENGINE: '' };
  const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
  for (const device of ['cuda', 'cuda:1']) {
    const args = ['train', '--preset', 'cvrl', '--data', data, '--out', out, '--device', device];
    const { status, stderr } = run(...args);
    t.is(status, 3, stderr);
    t.regex(stderr, new RegExp(`device '${device}' was asked for, but .*What to do: .*or use device cpu`));
    t.regex(stderr, /ERR_VSSL_CUDA_UNAVAILABLE/);
    t.false(existsSync(out));
  }
});

test('presets say which of them need a GPU, and whether there is one', (t) => {
  const env = { ...process.env, NO_COLOR: '1', CUDA_VISIBLE_DEVICES: '', VSSL_ENGINE: '' };
  const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
  const { stdout } = run('presets');
  t.regex(stdout, /^cvrl +a GPU +CVRL's published/m);
  t.regex(stdout, /^cvrl-tiny {3,}CVRL for 2 CPU/m);
  t.regex(stdout, /None can be used here: .*doctor/);
  t.regex(run('presets', 'cvrl').stdout, /^# It needs a GPU\. None can be used here: /m);
  t.notRegex(run('presets', 'cvrl-tiny').stdout, /GPU/);
  const { presets, noGpu } = JSON.parse(run('presets', '--json').stdout) as {
    presets: { name: string; needsGpu: boolean }[];
    noGpu: string;
  };
  t.deepEqual(
    presets.filter(({ needsGpu }) => needsGpu).map(({ name }) => name),
    presets.map(({ name }) => name).filter((name) => !name.endsWith('-tiny')),
  );
  t.truthy(noGpu);
});

test('--json: the last line of stdout is one object, and nothing else is there', (t) => {
  const commands = [['methods'], ['methods', 'cvrl'], ['presets'], ['presets', 'cvrl-tiny']];
  const lists = ['kernels', 'step', 'loader', 'embed'].map((what) => ['bench', what, '--list']);
  for (const args of [...commands, ...lists]) {
    const { status, stdout } = cli(...args, '--json');
    t.is(status, 0);
    const lines = stdout.trimEnd().split('\n');
    t.is(lines.length, 1);
    t.is(typeof JSON.parse(lines[0]!), 'object');
  }
  const wrong = cli('methods', 'nope', '--json');
  t.is(wrong.status, 2);
  t.is(JSON.parse(wrong.stdout).error.code, 'ERR_VSSL_INVALID_ARGUMENT');
});

test('--json: errors of usage, of every command, are one object too', (t) => {
  const commands = cli('--help')
    .stdout.match(/^ {2}[a-z]+(?= )/gm)!
    .map((name) => name.trim());
  t.true(commands.length >= 12);
  const cases: string[][] = [
    ['--json'],
    ['--json', 'tran'],
    ['tran', '--json'],
    ['eval', '--json'],
    ['eval', 'knnn', '--json'],
    ['eval', 'knn', '--json', '--crops', '7'],
    ['train', '--json', 'extra'],
    ['train', '--json', '--set'],
    ['embed', '--json', '--data', 'x'],
    ['bench', 'kernels', '--json', '--pairs', '0'],
    ...commands.filter((name) => name !== 'help').map((name) => [name, '--no-such-option', '--json']),
  ];
  for (const args of cases) {
    const { status, stdout, stderr } = cli(...args);
    t.is(status, 2, args.join(' '));
    const lines = stdout.trimEnd().split('\n');
    t.is(lines.length, 1, `${args.join(' ')}: ${stdout}`);
    const { code, message, exitCode } = JSON.parse(lines[0]!).error;
    t.is(code, 'ERR_VSSL_USAGE', args.join(' '));
    t.is(exitCode, 2);
    t.true(message.length > 10 && !message.includes('\n'), message);
    t.true(stderr.length > 10, 'people are told as well');
  }
  t.regex(JSON.parse(cli('tran', '--json').stdout).error.message, /unknown command 'tran'.*train/);
  t.regex(JSON.parse(cli('train', '--presett', '--json').stdout).error.message, /--presett.*--preset/);
});

test('--json: every other failure is one object with its exit code; help and version are objects', (t) => {
  for (const [args, code, exit] of [
    [['methods', 'nope'], 'ERR_VSSL_INVALID_ARGUMENT', 2],
    [['presets', 'nope'], 'ERR_VSSL_CONFIG', 2],
    [['train', '--preset', 'cvrl-tiny', '--data', '/nonexistent/videos', '--out', 'x'], 'ERR_VSSL_DATA', 4],
    [
      ['embed', '--weights', '/nonexistent.safetensors', '--data', '/nonexistent', '--out', 'x.jsonl'],
      'ERR_VSSL_DATA',
      4,
    ],
  ] as const) {
    const { status, stdout } = cli(...args, '--json');
    t.is(status, exit, args.join(' '));
    t.is(stdout.trimEnd().split('\n').length, 1);
    const { error } = JSON.parse(stdout);
    t.is(error.code, code);
    t.is(error.exitCode, exit);
  }
  for (const args of [['--help'], ['train', '--help'], ['--version']]) {
    const { status, stdout } = cli(...args, '--json');
    t.is(status, 0);
    t.regex(JSON.parse(stdout).text, /Usage: vssl-native|^\d+\.\d+\.\d+$/);
  }
});

test('a reader that goes away is no failure', async (t) => {
  const child = spawn(process.execPath, [main, 'presets', 'cvrl-tiny'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'exit');
  t.is(code, 0, stderr);
});
