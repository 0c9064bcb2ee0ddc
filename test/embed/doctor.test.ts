import test from 'ava';
import { doctor } from '#src/native/doctor.js';

test('doctor reports on everything, with a remedy for what is wrong', async (t) => {
  const report = await doctor();
  const names = report.checks.map(({ name }) => name);
  for (const name of [
    'Node.js',
    'kernels addon',
    'engine addon',
    'engine build',
    'CUDA',
    'NVIDIA driver',
    'processor',
    'write access',
    'CMake',
  ])
    t.true(names.includes(name), name);
  for (const { name, status, found, remedy } of report.checks) {
    t.truthy(found, name);
    if (status === 'fault') t.truthy(remedy, name);
  }
  t.is(
    report.ok,
    report.checks.every(({ status }) => status !== 'fault'),
  );
});

test('doctor names a folder that cannot be written to', async (t) => {
  const { checks } = await doctor({ selfTest: false, folder: '/nowhere/at/all' });
  t.is(checks.find(({ name }) => name === 'write access')!.status, 'note');
  t.false(checks.some(({ name }) => name === 'engine self-test'));
});
