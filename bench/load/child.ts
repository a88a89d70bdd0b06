/** What the benchmark sends to one of its children, and what comes back. */
export interface Asked {
  readonly id: number;
  readonly task: unknown;
}

export type Answered =
  { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

/**
 * Makes this process a child of the benchmark: it does what it is asked, one thing after the other, and ends with the
 * process that started it. `hello` is what it tells once it is ready.
 */
export function serveTasks(run: (task: never) => Promise<unknown>, hello: unknown): void {
  process.on('disconnect', () => process.exit());
  process.on('message', ({ id, task }: Asked) => {
    run(task as never)
      .then((result): Answered => ({ id, result }))
      .catch((error: unknown): Answered => ({
        id,
        error: error instanceof Error ? `${error.message} ${textOf(error.cause)}` : String(error),
      }))
      .then((answer) => process.send?.(answer))
      .catch(() => process.exit(1));
  });
  process.send?.(hello);
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : '');
