import { officialReader, oneList, readLines, withoutSuffix } from './official.js';
import { baseName } from './set-files.js';
import { wrongLine } from './table.js';

/**
 * UCF101 (Soomro, Zamir, Shah 2012), `ucf101:ROOT?split=1..3&fold=train|test`. Lists as the set has them,
 * `ucfTrainTestlist/trainlist01.txt` and `testlist01.txt`: a line is `Archery/v_Archery_g08_c01.avi`, in training lists
 * with the number of the class behind it. Group: the class and the g-number, which clips cut from one video share.
 */
export const ucf101Reader = officialReader({
  name: 'ucf101',
  splits: 3,
  folds: { train: ['train'], test: ['test'] },
  testFold: 'test',
  async list(part) {
    const { split, fold } = part;
    const name = `${fold}list0${split}.txt`;
    const file = oneList(
      part,
      new RegExp(`^${fold}list0?${split}\\.txt$`),
      'ucf101',
      `${name} of the set's own lists`,
    );
    const videos = [];
    for await (const { line, text } of readLines(file)) {
      const [, label, clip] = /^([^/\\\s]+)[/\\]([^/\\\s]+?)(?:\s+\d+)?$/.exec(text) ?? [];
      if (label === undefined || clip === undefined)
        throw wrongLine(
          file,
          line,
          `is '${text}'; expected CLASS/VIDEO.avi, in training lists with a number behind it`,
        );
      const stem = withoutSuffix(baseName(clip));
      const group = /_g(\d+)_c\d+$/.exec(stem)?.[1];
      const together = group === undefined ? undefined : `${label}_g${group}`;
      videos.push({ id: `${label}/${stem}`, names: [stem], label, group: together });
    }
    return videos;
  },
});
