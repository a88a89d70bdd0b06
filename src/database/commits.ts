import type { Queryable } from './database.ts';

/** What an operator does about commits that the database may lose. */
export const commitsRemedy = 'set synchronous_commit to on, for the role of the program or for the server';

/** Rejects where commits are asynchronous, saying so, or where the database cannot be asked. */
export async function checkCommits(database: Queryable): Promise<void> {
  const lossy = await findLossyCommits(database);
  if (lossy !== undefined) throw new Error(lossy);
}

/**
 * Why what the program commits may be lost although the database has confirmed it: callers are told that it is done.
 * Undefined where that cannot be.
 */
export async function findLossyCommits(database: Queryable): Promise<string | undefined> {
  const [row] = await database.query<{ mode: string }>("select current_setting('synchronous_commit') as mode");
  return row?.mode === 'off' ? 'synchronous_commit is off: a crash may lose what was confirmed' : undefined;
}
