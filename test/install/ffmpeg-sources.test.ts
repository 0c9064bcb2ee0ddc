// Where the sources of the FFmpeg inside a prebuilt engine come from. `npm run test:ffmpeg` builds it.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { packageRoot } from '#src/native/package-root.js';

interface Source {
  readonly name: string;
  readonly debian: string;
  readonly files: Readonly<Record<string, string>>;
}
const { sources, getSources, sourceLines } = (await import(
  pathToFileURL(join(packageRoot, 'tools/ffmpeg-sources.mjs')).href
)) as {
  sources: readonly Source[];
  getSources(folder: string, given?: string): void;
  sourceLines(etc: string): string[];
};

const scratch = mkdtempSync(join(tmpdir(), 'vssl-ffmpeg-sources-'));
test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

test('each archive is known by its digest, and its name by the version that is asked for', (t) => {
  for (const { name, debian, files } of sources) {
    const [archive, patches] = Object.keys(files);
    const version = debian.replace(/^\d+:/, '');
    t.true(archive!.startsWith(`${name}_${version.replace(/-[^-]*$/, '')}.orig.tar.`), archive);
    t.is(patches, `${name}_${version}.debian.tar.xz`);
    for (const digest of Object.values(files)) t.regex(digest, /^[0-9a-f]{64}$/);
  }
});

test("archives that are missing or are others are named, and a given folder's are not changed", (t) => {
  const given = join(scratch, 'given');
  mkdirSync(given);
  const [first] = Object.keys(sources[0]!.files);
  writeFileSync(join(given, first!), 'another archive');
  const error = t.throws(() => getSources(join(scratch, 'into'), given))!;
  t.regex(error.message, /sources of FFmpeg are missing in .*given, or are not the pinned ones/);
  for (const { files } of sources)
    for (const [file, digest] of Object.entries(files)) {
      t.true(error.message.includes(file));
      t.true(error.message.includes(digest));
    }
  t.is((error as { exitCode?: number }).exitCode, 3);
  t.deepEqual(readdirSync(given), [first!]);
});

test("the system's lists are asked for sources: those of its release, in both spellings", (t) => {
  const etc = join(scratch, 'etc');
  mkdirSync(join(etc, 'apt/sources.list.d'), { recursive: true });
  writeFileSync(join(etc, 'os-release'), 'NAME="Some"\nVERSION_CODENAME=bookworm\n');
  writeFileSync(
    join(etc, 'apt/sources.list'),
    '# deb http://a/debian bookworm main\ndeb [arch=amd64] http://a/debian bookworm main contrib # all\n' +
      'deb http://b/other stable main\ndeb-src http://a/debian bookworm main\n',
  );
  writeFileSync(
    join(etc, 'apt/sources.list.d/x.sources'),
    'Types: deb\nURIs: http://c/security\nSuites: bookworm-security\nComponents: main\nSigned-By: /k.gpg\n\n' +
      'Types: deb-src\nURIs: http://d\nSuites: bookworm\nComponents: main\n',
  );
  writeFileSync(join(etc, 'apt/sources.list.d/old.sources.save'), 'Types: deb\nURIs: http://e\n');
  t.deepEqual(sourceLines(etc), [
    'deb-src [arch=amd64] http://a/debian bookworm main contrib',
    'deb-src [signed-by=/k.gpg] http://c/security bookworm-security main',
  ]);
});
