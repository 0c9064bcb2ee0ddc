/** linux-x64, linuxmusl-x64, darwin-arm64...: the name under which prebuilt addons are published. */
export function platformTag(): string {
  const musl = process.platform === 'linux' && !glibcVersion();
  return `${process.platform}${musl ? 'musl' : ''}-${process.arch}`;
}

/** Of this system, '2.36'; undefined: another libc. */
export function glibcVersion(): string | undefined {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime;
}
