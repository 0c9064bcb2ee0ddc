/** What stands at the end of each command's help: calls that one would make, the common one first. */
import type { Command } from 'commander';

/** What follows `npx vssl-native`, and what it does. */
type Example = readonly [line: string, what: string];

/** By the command as it is typed. A new command needs a line here: a test asks for it. */
const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  init: [
    ['init --data videos/', 'writes train.yaml, with the reason for each value'],
    ['init --data labelled.csv --method moco --out -', 'prints one for MoCo'],
  ],
  train: [
    ['train --preset cvrl-tiny --data videos/ --out run', 'again: goes on where it stopped'],
    ['train --config train.yaml --out run --set train.optimizer.lr=1e-3', 'a file, and one value on top'],
    ['train --preset moco-tiny --data videos/ --out run --ranks 2', 'two processes that train together'],
    [
      "train --preset cvrl-tiny --data 'tar:shards/clips-{000..127}.tar' --out run",
      'tar shards, read in place',
    ],
  ],
  'eval knn': [
    [
      'eval knn --run run --train train.csv --test test.csv --baseline random --floors',
      'beside an untrained network and raw pixels',
    ],
    ['eval knn --run run --data labelled.csv --folds group', 'one set, its groups held out in turn'],
  ],
  'eval linear': [
    ['eval linear --run run --train train.csv --test test.csv', 'a linear classifier on frozen features'],
    [
      'eval linear --run run --data labelled.csv --folds group:5 --factors',
      'and what else the features tell',
    ],
  ],
  'eval retrieval': [
    ['eval retrieval --run run --train train.csv --test test.csv', 'by label, and the same video again'],
    ['eval retrieval --run run --data videos/', 'videos without labels: the same video again'],
  ],
  'eval lowshot': [
    [
      'eval lowshot --run run --train train.csv --test test.csv',
      '1, 5 and 10 labels a class, drawn several times',
    ],
  ],
  'eval finetune': [
    ['eval finetune --run run --train train.csv --test test.csv', 'the whole network learns the labels'],
  ],
  'eval attentive': [
    ['eval attentive --run run --train train.csv --test test.csv', 'a query learns where to look'],
  ],
  'eval claims': [
    ['eval claims --list --method cvrl', 'what its paper claims, and the arms'],
    ['eval claims --method cvrl --data synthetic:motion --budget 450 --seeds 3', 'trains and compares them'],
  ],
  compare: [
    ['compare run-a run-b', 'the second against the first'],
    ['compare sweep/', 'all cells of a sweep'],
    ['compare a/eval-knn-0123456789.json b/eval-knn-9876543210.json', 'two evaluations'],
    ['compare run-a run-b --metric loss --metric gradNorm --points 20', 'other curves, at more steps'],
  ],
  sweep: [
    [
      'sweep --config train.yaml --grid train.optimizer.lr=1e-3,3e-3 --seeds 3 --out sweep',
      'six runs; again: goes on with what is missing',
    ],
    [
      'sweep --preset cvrl-tiny --data train.csv --grid data.clip.stride=2,4 --out sweep --eval knn,linear --test test.csv',
      'each evaluated',
    ],
    [
      'sweep --grid preset=cvrl-tiny,moco-tiny --data videos/ --seeds 3 --out methods --jobs 2',
      'methods side by side, two runs at once',
    ],
  ],
  embed: [
    ['embed --run run --data videos/ --out vectors.safetensors', 'a vector for each video'],
    ['embed --run run --data videos/ --out windows.parquet --windows every:1s', 'one for each second'],
    [
      "embed --run run --data 'pipe:aws s3 cp s3://b/c-{00..99}.tar -' --out vectors.npy",
      'shards that a command prints',
    ],
    ['embed --run run --stdin --out vectors.jsonl', 'paths from another program, one a line'],
  ],
  predict: [
    ['predict --run run --train labelled.csv --data videos/ --out labels.csv', 'labels with confidences'],
    [
      'predict --run run --train labelled.csv --data videos/ --out labels.csv --suggest 20',
      'and which to label next',
    ],
  ],
  index: [
    ['index --run run --data videos/ --db videos.index', 'again: what has changed'],
    ['index --run run --data videos/ --db videos.index --watch', 'goes on, and follows the folder'],
  ],
  duplicates: [
    [
      'duplicates --db videos.index --html pairs.html',
      'the same and nearly the same, with where they overlap',
    ],
  ],
  search: [
    ['search --db videos.index film.mp4@12-20 --per-video', 'what is like these eight seconds'],
    ["search --db videos.index clip.mp4 --filter 'label=walk' --html hits.html", 'a page of what was found'],
  ],
  merge: [
    [
      'merge part-*.safetensors --out vectors.safetensors',
      "what 'embed --shard' or 'eval --shard' made in parts",
    ],
  ],
  report: [
    ['report --run run --out report.html', 'one page about a run'],
    ['report --run run-a run-b --out report.html --watch', 'two of them, followed while they train'],
  ],
  export: [
    ['export --run run --out encoder.safetensors --layout torchvision', "with torchvision's names"],
    ['export --run run --out encoder.onnx --layout onnx', 'for onnxruntime'],
  ],
  import: [['import r3d_18.pth --out r3d_18.safetensors', 'weights of another library']],
  check: [
    ['check --data videos/', 'which files cannot be used, and why'],
    ['check --data videos/ --deep --json', 'every picture, for a program'],
  ],
  synthesize: [
    [
      "synthesize --data 'synthetic:motion?split=train&count=480' --out motion",
      'clips of known motions as files',
    ],
  ],
  prepare: [
    ['prepare --data videos/ --out copy --short-side 128', 'a copy that trains without decoding'],
    ['prepare --data videos/ --out copy --short-side 128 --flow', 'with optical flow'],
    ['prepare --data videos/ --out copy --format jpeg', 'as JPEG: about a fifteenth of the room'],
  ],
  'bench kernels': [['bench kernels --peers', 'verifies, then times beside other libraries']],
  'bench step': [['bench step --filter cvrl-tiny', 'steps of training']],
  'bench loader': [['bench loader', 'loading of clips']],
  'bench embed': [['bench embed --threads 2', 'vectors of clips']],
  doctor: [['doctor', 'what is missing here, and how to get it']],
  methods: [
    ['methods', 'all of them'],
    ['methods cvrl', 'its paper, options and claims'],
  ],
  presets: [
    ['presets', 'all of them'],
    ['presets cvrl-tiny', 'the whole configuration, for a file of your own'],
  ],
  setup: [
    ['setup', 'gets libtorch and the engine'],
    ['setup --yes', 'in a script'],
    ['setup --wheel torch.whl', 'without a network'],
  ],
  build: [['build --methods methods/', 'an engine with methods of your own']],
};

/** Adds the examples to the help of each command; one that has others below it shows the first of each. */
export function addExamples(command: Command, path: readonly string[] = []): void {
  for (const child of command.commands) {
    const name = [...path, child.name()];
    addExamples(child, name);
    const below = child.commands.flatMap(
      (one) => EXAMPLES[[...name, one.name()].join(' ')]?.slice(0, 1) ?? [],
    );
    const examples = EXAMPLES[name.join(' ')] ?? below;
    if (examples.length > 0) child.addHelpText('after', `\n${textOf(examples)}`);
  }
}

function textOf(examples: readonly Example[]): string {
  const lines = examples.flatMap(([line, what]) => [`  # ${what}`, `  npx vssl-native ${line}`]);
  return ['Examples:', ...lines].join('\n');
}
