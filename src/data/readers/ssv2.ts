import { VsslError } from '../../errors.js';
import { officialReader, oneList, readLines, readText } from './official.js';
import type { SetFiles } from './set-files.js';

/**
 * Something-Something V2 (Goyal et al., ICCV 2017), `ssv2:ROOT?fold=train|val|test`. The list is the JSON of the set,
 * `train.json`, `validation.json` or `test.json` (also `something-something-v2-train.json`...): objects with id and
 * template. The label is the template without its brackets, as in `labels.json`; those of the test fold are in
 * `test-answers.csv`, where that is there. A video is the file ID, whatever folder it is in.
 */
export const ssv2Reader = officialReader({
  name: 'ssv2',
  splits: 1,
  folds: { train: ['train'], val: ['val', 'validation'], test: ['test'] },
  testFold: 'val',
  async list(part) {
    const stem = part.fold === 'val' ? 'validation' : part.fold;
    const name = new RegExp(`^(something-something-v2-)?${stem}\\.json$`);
    const file = oneList(part, name, 'ssv2', `list ${stem}.json of the set`);
    const answers = part.fold === 'test' ? await readAnswers(part.lists) : new Map<string, string>();
    return parseEntries(await readText(file), file).map(({ id, template }) => ({
      id,
      names: [id],
      label: template?.replace(/[[\]]/g, '') ?? answers.get(id),
      group: undefined,
    }));
  },
});

function parseEntries(text: string, file: string): { id: string; template: string | undefined }[] {
  const refuse = (what: string, cause?: unknown) =>
    new VsslError(
      'ERR_VSSL_DATA',
      `${file} ${what}; expected a JSON list of objects with an id and, but for the test videos, a template`,
      { details: { file }, cause },
    );
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (cause) {
    throw refuse(`is no JSON (${(cause as Error).message})`, cause);
  }
  if (!Array.isArray(entries)) throw refuse('is no list');
  return entries.map((entry: { id?: unknown; template?: unknown } | null, i) => {
    const [id, template] = [entry?.id, entry?.template];
    const isId = (typeof id === 'string' && id !== '') || typeof id === 'number';
    if (!isId || !(template === undefined || typeof template === 'string'))
      throw refuse(`has in place ${i} of its list ${JSON.stringify(entry)}`);
    return { id: String(id), template };
  });
}

/** Lines `ID;LABEL`. */
async function readAnswers(lists: SetFiles): Promise<Map<string, string>> {
  const [file] = lists.lists(/^(something-something-v2-)?test-answers\.csv$/);
  const answers = new Map<string, string>();
  if (file === undefined) return answers;
  for await (const { text } of readLines(file)) {
    const mark = text.indexOf(';');
    if (mark > 0) answers.set(text.slice(0, mark), text.slice(mark + 1));
  }
  return answers;
}
