import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { ensureSearchAttributes } from '../../src/orchestration/register-search-attributes.ts';
import { indexedTypes } from '../../src/orchestration/search-attributes.ts';
import { unique } from '../harness/portico.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { failure, forwardTo, startFakeFrontend } from '../servers/fake-frontend.ts';
import { temporalAddress } from '../servers/temporal.ts';

describe('the search attributes of a namespace', () => {
  let operator: TemporalOperator;
  let namespace: string;
  beforeAll(async () => {
    operator = await connectOperator(temporalAddress());
    namespace = unique('namespace');
    await operator.connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    await until(
      () => countOf("PorticoTenant = '-'"),
      (answer) => answer.includes('PorticoTenant'),
    );
  });
  afterAll(() => operator.close());

  /** What the real server says to a query: its count, or its refusal. A namespace is known to it after some seconds. */
  const countOf = (query: string): Promise<string> =>
    operator.connection.workflowService.countWorkflowExecutions({ namespace, query }).then(
      ({ count }) => String(count),
      (error: unknown) => String(error),
    );

  function watch(address: string) {
    const { connection, close } = createConnection({ settings: { address }, observe: () => undefined });
    const attributes = ensureSearchAttributes({ connection, namespace, logger: silentLogger });
    return {
      isThere(): boolean {
        try {
          attributes.check();
          return true;
        } catch {
          return false;
        }
      },
      async close(): Promise<void> {
        attributes.stop();
        await close();
      },
    };
  }

  it('are found by an identity that may use no operator service, as soon as somebody else has registered them', async () => {
    const counts = forwardTo(temporalAddress(), 'CountWorkflowExecutions');
    let answered = 0;
    const frontend = await startFakeFrontend({
      '/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes': () => failure('PERMISSION_DENIED'),
      async CountWorkflowExecutions(request) {
        const answer = await counts.answer(request);
        answered += 1;
        return answer;
      },
    });
    const watched = watch(frontend.address);
    await until(
      () => answered,
      (times) => times >= 1,
    );
    expect(watched.isThere()).toBe(false);

    const searchAttributes = Object.fromEntries(indexedTypes);
    await operator.connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
    await until(watched.isThere, (isThere) => isThere);
    // No visibility call more, once they are there.
    expect(answered).toBeLessThan(20);

    await watched.close();
    counts.close();
    frontend.stop();
  });

  it('are found by an identity that may use it', async () => {
    const watched = watch(temporalAddress());
    await until(watched.isThere, (isThere) => isThere);
    await watched.close();
  });
});
