/** The last few results of something slow: cases share their inputs, and a twin takes seconds. */
export function memo<T>(kept: number): (key: readonly unknown[], make: () => T) => T {
  const known = new Map<string, T>();
  return (key, make) => {
    const name = JSON.stringify(key);
    const value = known.get(name) ?? make();
    known.delete(name);
    known.set(name, value);
    if (known.size > kept) known.delete(known.keys().next().value!);
    return value;
  };
}
