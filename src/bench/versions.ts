/** The libraries that ours is compared with, in the versions that the published tables name. */
const NAMED: Readonly<Record<string, string>> = {
  torch: '2.13.0',
  torchvision: '0.28.0',
  numpy: '2.4.6',
  scipy: '1.17.1',
  OpenCV: '5.0.0',
  'pytorch-metric-learning': '2.9.0',
};

/**
 * What is wrong with what a peer says of its libraries, such as `torchvision 0.28.0, torch 2.13.0+cpu`: the first that
 * is older than named. Null: nothing.
 */
export function olderThanNamed(version: string): string | null {
  for (const library of version.split(', ')) {
    const [name = '', number = ''] = library.split(' ');
    const named = NAMED[name];
    if (named !== undefined && isOlder(number, named)) return `${name} ${number} is older than ${named}`;
  }
  return null;
}

function isOlder(version: string, named: string): boolean {
  const parts = (text: string) => text.split('+')[0]!.split('.').map(Number.parseFloat);
  const least = parts(named);
  const found = parts(version);
  const at = least.findIndex((part, i) => (found[i] ?? 0) !== part);
  // a number that cannot be read is not known to be new enough
  return at >= 0 && !((found[at] ?? 0) > least[at]!);
}
