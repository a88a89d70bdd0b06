import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findTemporalCli } from '../../local/temporal/cli.ts';
import { createGate, passThrough } from '../harness/adapter-calls.ts';
import { openTransfers, type Transfers } from '../harness/transfers.ts';
import { temporalAddress } from '../servers/temporal.ts';

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const run = promisify(execFile);
let transfers: Transfers;

beforeAll(async () => {
  transfers = await openTransfers({ address: temporalAddress() });
});
afterAll(() => transfers.close());

/** The first block of code of that language in a chapter of the page. */
function blockOf(language: string, chapter: string): string {
  const text = page.split(/^## /m).find((each) => each.startsWith(`${chapter}\n`)) ?? '';
  const block = new RegExp(`\`\`\`${language}\n([^\`]*)\`\`\``).exec(text)?.[1];
  if (block === undefined) throw new Error(`the chapter ${JSON.stringify(chapter)} has no block of ${language}`);
  return block.trim();
}

/** Runs the command of the page, on this server and this instance. */
async function reset(workflowId: string): Promise<void> {
  const [program, ...words] = blockOf('sh', 'An instance is interrupted').replaceAll('\\\n', ' ').split(/\s+/);
  if (program !== 'temporal') throw new Error(`the page runs another program: ${program}`);
  const path = findTemporalCli({ environment: process.env, log: () => undefined });
  if (path === undefined) throw new Error('There is no Temporal program here: `npm test` installs one.');
  const values = words.map((word) => (word === '"$WORKFLOW_ID"' ? workflowId : word));
  await run(path, [...values, '--address', temporalAddress()]);
}

describe('what docs/operations.md says of money in clearing', () => {
  it.each(['completes', 'is cancelled where a cancel had been heard'])(
    'finds it, and the reset transfer %s',
    async (how) => {
      const isCancelled = how !== 'completes';
      const stalled = createGate({ at: 'entry' });
      const first = await transfers.begin({ minor: '1000001', calls: { deposit: stalled.hold } });
      await first.reaches('awaiting-approval');
      await first.act('approve', {});
      await stalled.reached;
      const cancel = isCancelled ? first.answerOf('cancel', {}).catch(() => 'unanswered') : undefined;
      if (isCancelled) await first.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED', { times: 2 });
      await first.handle.terminate('terminated by a test');
      await cancel;

      const statement = blockOf('sql', 'Money is unresolved');
      const found = await transfers.query<{ workflow_id: string }>(statement);
      const workflowId = first.handle.workflowId;
      expect(found.map((row) => row.workflow_id)).toEqual([workflowId]);

      first.handleCall('deposit', passThrough);
      await reset(workflowId);
      const again = first.latest();
      expect(await again.result()).toMatchObject({ outcome: isCancelled ? 'cancelled' : 'completed' });
      expect(await again.balances()).toEqual(
        isCancelled ? { payer: 5_000_000n, payee: 0n } : { payer: 3_999_999n, payee: 1_000_001n },
      );
      stalled.open();
      await stalled.passed;
      expect(await again.clearing()).toBe(0n);
      expect(await transfers.query(statement)).toEqual([]);
    },
  );
});
