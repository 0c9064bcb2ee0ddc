import { VsslError } from '../../errors.js';
import { parseCsv } from './csv.js';
import { officialReader, oneList, readText } from './official.js';
import { wrongLine } from './table.js';

const NAMES: Readonly<Record<string, string>> = {
  train: 'train',
  val: 'val|validate|validation',
  test: 'test',
};

/**
 * Kinetics-400, -600 and -700 (Kay et al. 2017), `kinetics:ROOT?fold=train|val|test`. The list is the CSV of the set,
 * `train.csv`, `validate.csv` or `test.csv` (also `kinetics-400_train.csv`, `val.csv`...), with the columns label,
 * youtube_id, time_start and time_end. A video is the file ID_START_END, seconds as six digits, as the usual tools save
 * it, or ID; whatever folder it is in. Group: the YouTube id. Many of its videos are gone: missing=skip leaves them out.
 */
export const kineticsReader = officialReader({
  name: 'kinetics',
  splits: 1,
  folds: { train: ['train'], val: ['val', 'validate', 'validation'], test: ['test'] },
  testFold: 'val',
  async list(part) {
    const name = new RegExp(`^(kinetics[-_]?(400|600|700)?(_2020)?[-_])?(${NAMES[part.fold]})\\.csv$`, 'i');
    const file = oneList(part, name, 'kinetics', `list ${part.fold}.csv of the set`);
    const [header, ...records] = parseCsv(await readText(file), file);
    const columns = (header?.fields ?? []).map((column) => column.trim());
    const at = (column: string) => columns.indexOf(column);
    const wanted = ['youtube_id', 'time_start', 'time_end', ...(part.fold === 'test' ? [] : ['label'])];
    const absent = wanted.find((column) => at(column) < 0);
    if (absent !== undefined)
      throw new VsslError(
        'ERR_VSSL_DATA',
        `${file} has no column '${absent}'; expected ${wanted.join(', ')}`,
        {
          details: { file, columns },
        },
      );
    return records.map(({ line, fields }) => {
      const id = fields[at('youtube_id')];
      const [start, end] = [Number(fields[at('time_start')]), Number(fields[at('time_end')])];
      if (!id || !(start >= 0) || !(end > start))
        throw wrongLine(file, line, 'has no youtube_id, or no time_start before its time_end');
      const cut = `${id}_${sixDigits(start)}_${sixDigits(end)}`;
      return { id: cut, names: [cut, id], label: fields[at('label')] || undefined, group: id };
    });
  },
});

function sixDigits(seconds: number): string {
  return String(Math.floor(seconds)).padStart(6, '0');
}
