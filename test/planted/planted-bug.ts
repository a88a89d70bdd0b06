/** A bug to plant: what is changed in a copy of this checkout, and the tests that must fail then. */
export interface PlantedBug {
  /** What is wrong, in a few words. */
  readonly name: string;
  /** Each text stands exactly once in its file. */
  readonly edits: readonly Edit[];
  /** The smallest set that catches it: a file, and a part of the full names of its tests. */
  readonly caughtBy: readonly [file: string, tests: string];
  /** Set where a test shows it by what never happens: only then does a test that runs out of time count. */
  readonly hangs?: true;
  /** Why the text may be gone without anybody having to care. Without it a text that no longer fits is an error. */
  readonly mayBeGone?: string;
}

export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}
