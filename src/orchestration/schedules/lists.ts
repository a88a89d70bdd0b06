import type { CallDependencies } from '../calls.ts';
import { createCounting } from '../counting.ts';
import { openCursor, sealCursor } from '../cursor.ts';
import { readProblemOf } from '../failures.ts';
import { methods } from '../methods.ts';
import { openSchedulesQueryOf, schedulesQueryOf } from '../visibility-query.ts';
import { type ScheduleEntry, toScheduleEntry } from './snapshot.ts';

interface ListDependencies extends CallDependencies {
  /** Signs cursors; the same in every replica. Absent in a process that serves no lists. */
  readonly cursorSecret?: Uint8Array | undefined;
}

/** The gateway's part that finds and counts the schedules of a tenant. A new one is seen within about a second. */
export function createScheduleLists(dependencies: ListDependencies) {
  const { connection, namespace, deadlines, cursorSecret, visibilityTurn } = dependencies;
  const countBy = createCounting(dependencies);

  return {
    /** One page. Throws `invalid-cursor`, `overloaded` or a read Problem. */
    async listSchedules(
      { tenant, limit, cursor }: { tenant: string; limit: number; cursor?: string | undefined },
      signal?: AbortSignal,
    ): Promise<{ items: ScheduleEntry[]; cursor?: string }> {
      if (cursorSecret === undefined) throw new Error('lists need the secret that signs cursors');
      const query = schedulesQueryOf(tenant);
      const scope = `schedules ${query}`;
      const nextPageToken = cursor === undefined ? undefined : openCursor(cursorSecret, scope, cursor);
      await visibilityTurn?.(tenant);
      try {
        const request = {
          namespace,
          query,
          maximumPageSize: limit,
          ...(nextPageToken === undefined ? {} : { nextPageToken }),
        };
        const page = await connection.call(methods.listSchedules, request, { deadlineMs: deadlines.readMs, signal });
        const token = page.nextPageToken;
        return {
          items: page.schedules.map(toScheduleEntry).filter((each) => each.tenant === tenant),
          ...(token.length > 0 ? { cursor: sealCursor(cursorSecret, scope, token) } : {}),
        };
      } catch (error) {
        throw readProblemOf(error);
      }
    },

    /** How many schedules a tenant has, those of the last second perhaps left out. Throws as a list does. */
    countSchedules: (tenant: string, signal?: AbortSignal): Promise<number> =>
      countBy(openSchedulesQueryOf(tenant), tenant, signal),
  };
}
