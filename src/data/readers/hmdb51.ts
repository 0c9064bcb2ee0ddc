import { VsslError } from '../../errors.js';
import { officialReader, readLines, withoutSuffix } from './official.js';
import { baseName } from './set-files.js';
import { wrongLine } from './table.js';

/**
 * HMDB51 (Kuehne et al., ICCV 2011), `hmdb51:ROOT?split=1..3&fold=train|test`. Lists as the set has them,
 * `testTrainMulti_7030_splits/CLASS_test_split1.txt`: a line is the name of a video and 1 (training), 2 (test) or 0
 * (neither). Group: what the name says before the class, the film that the clip is from.
 */
export const hmdb51Reader = officialReader({
  name: 'hmdb51',
  splits: 3,
  folds: { train: ['train'], test: ['test'] },
  testFold: 'test',
  async list({ split, fold, lists }) {
    const files = lists.lists(new RegExp(`_test_split${split}\\.txt$`));
    if (files.length === 0)
      throw new VsslError(
        'ERR_VSSL_DATA',
        `there is no list CLASS_test_split${split}.txt of the set in ${lists.root}; say where they are: hmdb51:ROOT?splits=FOLDER`,
        { details: { set: 'hmdb51', folder: lists.root } },
      );
    const wanted = fold === 'train' ? '1' : '2';
    const videos = [];
    for (const file of files) {
      const label = baseName(file).replace(/_test_split\d\.txt$/, '');
      for await (const { line, text } of readLines(file)) {
        const [, name, part] = /^(.+?)\s+([012])$/.exec(text) ?? [];
        if (name === undefined)
          throw wrongLine(
            file,
            line,
            `is '${text}'; expected VIDEO.avi and 1 (training), 2 (test) or 0 (neither)`,
          );
        if (part !== wanted) continue;
        const stem = withoutSuffix(name);
        const at = stem.lastIndexOf(`_${label}_`);
        const group = at > 0 ? stem.slice(0, at) : undefined;
        videos.push({ id: `${label}/${stem}`, names: [stem], label, group });
      }
    }
    return videos;
  },
});
