/** The object with another method in the place of one of its own, which native objects do not let be changed. */
export function withMethod<T extends object, Name extends keyof T>(
  object: T,
  name: Name,
  method: T[Name],
): T {
  return new Proxy(object, {
    get(_, key) {
      if (key === name) return method;
      const own = object[key as keyof T];
      return typeof own === 'function' ? own.bind(object) : own;
    },
  });
}
