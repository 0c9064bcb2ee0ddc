import type { VideoRow } from '../rows.js';

/** What a reader is asked to read. */
export interface ReaderRequest {
  /** What stands before the query: a path, or what follows `scheme:`. */
  readonly target: string;
  /** Query entries whose names are among the reader's `options`. */
  readonly options: ReadonlyMap<string, string>;
  /** Folders that are no part of the data, whatever they hold. */
  readonly except?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface ReaderResult {
  readonly rows: readonly VideoRow[];
  /** Columns that a query may filter by, besides path, label and group. */
  readonly columns: readonly string[];
  readonly warnings: readonly string[];
}

/** One way of writing down a data set. */
export interface DatasetReader {
  readonly name: string;
  /** Names of query entries that are settings of the reader, not filters. */
  readonly options: readonly string[];
  read(request: ReaderRequest): Promise<ReaderResult>;
  /** Of a named source: its target is a path. */
  readonly readsPath?: boolean;
  /** The query of the set that is kept for testing what was trained on the set of `query`; null: it is no training set. */
  heldOut?(query: string): string | null;
}
