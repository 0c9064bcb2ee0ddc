import { ERROR_CODES, type VsslErrorCode } from './error-codes.js';

export type { VsslErrorCode } from './error-codes.js';

/** Marks the errors of every copy of this package in a process. */
const BRAND = Symbol.for('vssl-native.VsslError');

/**
 * The one error class of the package: a stable `code`, what was expected, what came, and what to do. `instanceof` holds
 * for errors of the package's other build (ES module, CommonJS) and of other realms, too.
 */
export class VsslError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a subclass inherits this, and is known in the ordinary way
    if (this !== VsslError) return super[Symbol.hasInstance](value);
    return typeof value === 'object' && value !== null && BRAND in value;
  }

  override readonly name = 'VsslError';
  readonly code: VsslErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: VsslErrorCode,
    message: string,
    options: { details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** What a thrown value says; errors of other realms are errors. */
export function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}

/** "expected <what> for <name> but received <value><hint>", thrown before any native work. */
export function invalidArgument(name: string, expected: string, received: unknown, hint = ''): VsslError {
  return new VsslError(
    'ERR_VSSL_INVALID_ARGUMENT',
    `expected ${expected} for ${name} but received ${describe(received)}${hint}`,
    { details: { name, expected } },
  );
}

/** A wrong entry of a configuration: names the key. The command line ends with exit code 2. */
export function configError(key: string, message: string): VsslError {
  return new VsslError('ERR_VSSL_CONFIG', `config key '${key}': ${message}`, { details: { key } });
}

/** Any thrown value as a VsslError; errors of the addons keep their code and gain the caller's stack. */
export function toVsslError(error: unknown, context?: Error): VsslError {
  if (error instanceof VsslError) return error;
  const message = messageOf(error);
  const code = (error as { code?: unknown } | null)?.code;
  const stable =
    typeof code === 'string' && code.startsWith('ERR_VSSL_') ? (code as VsslErrorCode) : 'ERR_VSSL_INTERNAL';
  const wrapped = new VsslError(stable, message, { cause: error });
  if (context?.stack)
    wrapped.stack = `${wrapped.name}: ${message}\n${context.stack.split('\n').slice(1).join('\n')}`;
  return wrapped;
}

/** The result of native work; its errors gain a code and the caller's stack. */
export function coded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toVsslError(error, new Error());
  }
}

/** The same of work that ends later. */
export async function codedAsync<T>(work: () => Promise<T>): Promise<T> {
  const caller = new Error();
  try {
    return await work();
  } catch (error) {
    throw toVsslError(error, caller);
  }
}

/**
 * Whether a code speaks of the state of the process or the machine, which is no fault of the file at hand: such an error
 * ends the work instead of costing a video.
 */
export function isEnvironmentCode(code: string): boolean {
  return code === 'ERR_VSSL_TOO_MANY_FILES';
}

/** An error of the system as one of those above; null when it is none. */
export function environmentError(what: string, error: unknown): VsslError | null {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code !== 'EMFILE' && code !== 'ENFILE') return null;
  return new VsslError(
    'ERR_VSSL_TOO_MANY_FILES',
    `${what}: too many files are open (${code}); raise the limit (ulimit -n), or use fewer threads`,
    { details: { systemCode: code }, cause: error },
  );
}

/** Exit code of the command line for an error: 1 failed, 2 usage or config, 3 environment, 4 data, 130 stopped. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof VsslError)) return 1;
  return ERROR_CODES[error.code] ?? 1;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `'${value}' (string)`;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return `${value} (${typeof value})`;
  if (ArrayBuffer.isView(value)) return `${nameOf(value)} of byte length ${value.byteLength}`;
  if (Array.isArray(value)) return `array of length ${value.length}`;
  return typeof value;
}

/** 'Float32Array', whatever realm made it and whatever its class is called. */
function nameOf(view: ArrayBufferView): string {
  return Object.prototype.toString.call(view).slice('[object '.length, -1);
}
