// The splits of published sets, read from lists in those sets' own layout, on small trees made here.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { heldOutSpec, loadManifest } from '#src/data/manifest.js';
import type { VideoRow } from '#src/data/rows.js';
import { absoluteSpec } from '#src/train/absolute-spec.js';

type Files = Record<string, string>;

/** A folder with these files, removed after the test. */
async function makeTree(t: { teardown(f: () => Promise<void>): void }, files: Files, empty: string[] = []) {
  const folder = await mkdtemp(join(tmpdir(), 'set-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [name, text] of [...Object.entries(files), ...empty.map((name) => [name, ''] as const)]) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const said = ({ rows }: { rows: readonly VideoRow[] }) =>
  rows.map(({ id, label, group }) => [id, label, group]);

const data = { code: 'ERR_VSSL_DATA' };
const invalid = { code: 'ERR_VSSL_INVALID_ARGUMENT' };

const ucf = {
  'ucfTrainTestlist/classInd.txt': '1 Archery\r\n2 Biking\r\n',
  'ucfTrainTestlist/trainlist01.txt':
    'Archery/v_Archery_g08_c01.avi 1\r\nArchery/v_Archery_g08_c02.avi 1\r\nBiking/v_Biking_g09_c01.avi 2\r\n',
  'ucfTrainTestlist/testlist01.txt': 'Archery/v_Archery_g01_c01.avi\r\nBiking/v_Biking_g01_c01.avi\r\n',
  'ucfTrainTestlist/trainlist02.txt': 'Archery/v_Archery_g01_c01.avi 1\n',
  'ucfTrainTestlist/testlist02.txt': 'Biking/v_Biking_g09_c01.avi\n',
};
const ucfVideos = [
  'UCF-101/Archery/v_Archery_g01_c01.avi',
  'UCF-101/Archery/v_Archery_g08_c01.avi',
  'UCF-101/Archery/v_Archery_g08_c02.avi',
  'UCF-101/Biking/v_Biking_g01_c01.avi',
  'UCF-101/Biking/v_Biking_g09_c01.avi',
];

test('UCF101: three splits, labels of the folders, groups of the clips of one video', async (t) => {
  const root = await makeTree(t, ucf, ucfVideos);
  const train = await loadManifest(`ucf101:${root}?split=1&fold=train`);
  t.deepEqual(said(train), [
    ['Archery/v_Archery_g08_c01', 'Archery', 'Archery_g08'],
    ['Archery/v_Archery_g08_c02', 'Archery', 'Archery_g08'],
    ['Biking/v_Biking_g09_c01', 'Biking', 'Biking_g09'],
  ]);
  t.deepEqual(train.rows[0]!.source, {
    kind: 'file',
    path: join(root, 'UCF-101/Archery/v_Archery_g08_c01.avi'),
  });
  t.deepEqual(
    await loadManifest(`ucf101:${root}`).then(said),
    said(train),
    'split 1 and fold train unless told',
  );
  const tested = await loadManifest(`ucf101:${root}?fold=test&label=Biking`);
  t.deepEqual(said(tested), [['Biking/v_Biking_g01_c01', 'Biking', 'Biking_g01']]);
  const second = await loadManifest(`ucf101:${root}?split=2&fold=test`);
  t.deepEqual(said(second), [['Biking/v_Biking_g09_c01', 'Biking', 'Biking_g09']]);
  await t.throwsAsync(loadManifest(`ucf101:${root}?split=4`), {
    ...invalid,
    message: /'1', '2' or '3' for split/,
  });
  await t.throwsAsync(loadManifest(`ucf101:${root}?fold=val`), { ...invalid, message: /'train' or 'test'/ });
  await t.throwsAsync(loadManifest(`ucf101:${root}?split=3`), {
    ...data,
    message: /no trainlist03\.txt.*splits=/,
  });
  await t.throwsAsync(loadManifest(`ucf101:${root}?spilt=1`), {
    code: 'ERR_VSSL_USAGE',
    message: /did you mean 'split'/,
  });
});

test('a split that names missing files is refused with what can be done, or left out on demand', async (t) => {
  const root = await makeTree(t, ucf, ucfVideos.slice(0, 2));
  const error = await t.throwsAsync(loadManifest(`ucf101:${root}?split=1`), {
    ...data,
    message: /2 of the 3 videos.*Archery\/v_Archery_g08_c02, Biking\/v_Biking_g09_c01.*missing=skip/,
  });
  t.is((error as { details?: { missing?: number } }).details?.missing, 2);
  const rest = await loadManifest(`ucf101:${root}?split=1&missing=skip`);
  t.is(rest.rows.length, 1);
  t.regex(rest.warnings[0]!, /2 of the 3 videos.*left out/);
  const none = await makeTree(t, ucf);
  await t.throwsAsync(loadManifest(`ucf101:${none}?missing=skip`), { ...data, message: /unpacked into/ });
  await t.throwsAsync(loadManifest(`ucf101:${join(root, 'nowhere')}`), { ...data, message: /no such file/ });
  await t.throwsAsync(loadManifest('ucf101:'), { ...invalid, message: /folder of the set/ });
  await t.throwsAsync(loadManifest(`ucf101:${root}?missing=ignore`), invalid);
});

test('lists elsewhere, other suffixes, pictures in the place of videos, links, and two lists of one name', async (t) => {
  const lists = await makeTree(t, ucf);
  const root = await makeTree(t, {}, [
    'archery/v_Archery_g08_c01.mp4',
    'frames/v_Archery_g08_c02/f10.jpg',
    'frames/v_Archery_g08_c02/f9.jpg',
    'v_Biking_g09_c01.mkv',
  ]);
  await symlink(root, join(root, 'again'));
  const manifest = await loadManifest(`ucf101:${root}?splits=${lists}&fps=10`);
  t.deepEqual(
    manifest.rows.map(({ path }) => path),
    ['archery/v_Archery_g08_c01.mp4', 'frames/v_Archery_g08_c02', 'v_Biking_g09_c01.mkv'].map((name) =>
      join(root, name),
    ),
  );
  t.deepEqual(manifest.rows[1]!.source, {
    kind: 'images',
    files: ['f9.jpg', 'f10.jpg'].map((name) => join(root, 'frames/v_Archery_g08_c02', name)),
    fps: 10,
  });
  const twice = await makeTree(t, { 'a/trainlist01.txt': '', 'b/trainlist01.txt': '' });
  await t.throwsAsync(loadManifest(`ucf101:${twice}`), { ...data, message: /2 files that may be.*splits=/ });
  const broken = await makeTree(t, { 'trainlist01.txt': 'Archery/v_A_g08_c01.avi 1\nwhat is this\n' });
  await t.throwsAsync(loadManifest(`ucf101:${broken}`), { ...data, message: /trainlist01\.txt, line 2/ });
});

test('HMDB51: a list a class, 1 training, 2 test, 0 neither; the group is the film', async (t) => {
  const hair = 'April_09_brush_hair_u_nm_np1_ba_goo_';
  const root = await makeTree(
    t,
    {
      'testTrainMulti_7030_splits/brush_hair_test_split1.txt': `${hair}0.avi 1 \n${hair}1.avi 2 \n${hair}2.avi 0 \n`,
      'testTrainMulti_7030_splits/wave_test_split1.txt': 'A_wave_f_cm_np1_fr_med_0.avi 1 \n',
      'testTrainMulti_7030_splits/wave_test_split2.txt': 'A_wave_f_cm_np1_fr_med_0.avi 2 \n',
    },
    [0, 1, 2]
      .map((i) => `hmdb51/brush_hair/${hair}${i}.avi`)
      .concat('hmdb51/wave/A_wave_f_cm_np1_fr_med_0.avi'),
  );
  t.deepEqual(said(await loadManifest(`hmdb51:${root}`)), [
    [`brush_hair/${hair}0`, 'brush_hair', 'April_09'],
    ['wave/A_wave_f_cm_np1_fr_med_0', 'wave', 'A'],
  ]);
  t.deepEqual(said(await loadManifest(`hmdb51:${root}?fold=test`)), [
    [`brush_hair/${hair}1`, 'brush_hair', 'April_09'],
  ]);
  t.deepEqual(
    said(await loadManifest(`hmdb51:${root}?split=2&fold=test`)).map(([id]) => id),
    ['wave/A_wave_f_cm_np1_fr_med_0'],
  );
  await t.throwsAsync(loadManifest(`hmdb51:${root}?split=3`), {
    ...data,
    message: /test_split3\.txt.*splits=/,
  });
  const broken = await makeTree(t, { 'wave_test_split1.txt': 'a.avi 3\n' });
  await t.throwsAsync(loadManifest(`hmdb51:${broken}`), {
    ...data,
    message: /wave_test_split1\.txt, line 1/,
  });
});

test('Kinetics: CSV lists, cuts of YouTube videos in whatever folder', async (t) => {
  const header = 'label,youtube_id,time_start,time_end,split\n';
  const root = await makeTree(
    t,
    {
      'annotations/train.csv': `${header}"abseiling, high",a-_b1234567,4,14,train\nair drumming,cdefghijklm,0,10,train\n`,
      'annotations/validate.csv': `${header}air drumming,zzzzzzzzzzz,20,30,val\n`,
      'annotations/test.csv': 'youtube_id,time_start,time_end,split\nttttttttttt,5,15,test\n',
    },
    [
      'train/abseiling, high/a-_b1234567_000004_000014.mp4',
      'train/air drumming/cdefghijklm.webm',
      'val/zzzzzzzzzzz_000020_000030.mp4',
      'test/ttttttttttt_000005_000015.mp4',
    ],
  );
  t.deepEqual(said(await loadManifest(`kinetics:${root}`)), [
    ['a-_b1234567_000004_000014', 'abseiling, high', 'a-_b1234567'],
    ['cdefghijklm_000000_000010', 'air drumming', 'cdefghijklm'],
  ]);
  for (const fold of ['val', 'validate'])
    t.deepEqual(said(await loadManifest(`kinetics:${root}?fold=${fold}`)), [
      ['zzzzzzzzzzz_000020_000030', 'air drumming', 'zzzzzzzzzzz'],
    ]);
  t.deepEqual(said(await loadManifest(`kinetics:${root}?fold=test`)), [
    ['ttttttttttt_000005_000015', undefined, 'ttttttttttt'],
  ]);
  const broken = await makeTree(t, {
    'train.csv': `${header}a,abc,10,4,train\n`,
    'kinetics-400_val.csv': 'label,youtube_id\na,b\n',
  });
  await t.throwsAsync(loadManifest(`kinetics:${broken}`), {
    ...data,
    message: /train\.csv, line 2.*time_start/,
  });
  await t.throwsAsync(loadManifest(`kinetics:${broken}?fold=val`), {
    ...data,
    message: /no column 'time_start'/,
  });
});

test('Something-Something V2: templates without brackets are the labels', async (t) => {
  const root = await makeTree(
    t,
    {
      'labels/labels.json': '{"Putting something on a surface": "0"}',
      'labels/train.json': JSON.stringify([
        { id: '78687', label: 'putting cup on a table', template: 'Putting [something] on a surface' },
        { id: 42326, template: 'Folding [something]' },
      ]),
      'labels/validation.json': JSON.stringify([{ id: '7', template: 'Folding [something]' }]),
      'labels/test.json': JSON.stringify([{ id: '8' }, { id: '9' }]),
      'labels/test-answers.csv': '8;Folding something\n',
    },
    ['78687', '42326', '7', '8', '9'].map((id) => `20bn-something-something-v2/${id}.webm`),
  );
  t.deepEqual(said(await loadManifest(`ssv2:${root}`)), [
    ['78687', 'Putting something on a surface', undefined],
    ['42326', 'Folding something', undefined],
  ]);
  t.deepEqual(said(await loadManifest(`ssv2:${root}?fold=val`)), [['7', 'Folding something', undefined]]);
  t.deepEqual(said(await loadManifest(`ssv2:${root}?fold=test`)), [
    ['8', 'Folding something', undefined],
    ['9', undefined, undefined],
  ]);
  for (const [text, message] of [
    ['{', /is no JSON/],
    ['{}', /is no list/],
    ['[{"id": "1", "template": 3}]', /place 0/],
    ['[null]', /place 0/],
  ] as const) {
    const broken = await makeTree(t, { 'train.json': text });
    await t.throwsAsync(loadManifest(`ssv2:${broken}`), { ...data, message });
  }
});

test('what a set keeps for testing, and its folder made absolute', (t) => {
  t.is(heldOutSpec('ucf101:/sets/ucf?split=2'), 'ucf101:/sets/ucf?fold=test&split=2');
  t.is(
    heldOutSpec('kinetics:/sets/k400?fold=train&missing=skip'),
    'kinetics:/sets/k400?fold=val&missing=skip',
  );
  t.is(heldOutSpec('ssv2:/sets/ssv2?fold=val'), null);
  t.is(absoluteSpec('ucf101:sets/ucf?split=2'), `ucf101:${join(process.cwd(), 'sets/ucf')}?split=2`);
  t.is(absoluteSpec('hmdb51:/sets/hmdb'), 'hmdb51:/sets/hmdb');
  t.is(absoluteSpec('synthetic:motion?count=3'), 'synthetic:motion?count=3');
});
