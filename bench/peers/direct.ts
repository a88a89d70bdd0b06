import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { serveTasks } from '../load/child.ts';
import { freshKey } from '../load/requests.ts';
import { type LoadTask, runLoad } from '../load/task.ts';
import { directSends, startRaw } from './start-by-sdk.ts';

/**
 * `direct.ts <client|native|raw> <address>`: a program that calls Temporal itself, and makes its own load: there is
 * nothing between its callers and the SDK.
 */
const [way, address = ''] = process.argv.slice(2);

if (way === 'client') {
  const sends = directSends(new Client({ connection: await Connection.connect({ address }) }));
  serveTasks((task: LoadTask) => runLoad(task, sends), {});
} else {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address });
  const sends =
    way === 'native'
      ? directSends(new Client({ connection }))
      : (_kind: unknown, context: LoadTask['context']) => (index: number) =>
          startRaw(connection, freshKey(context, index));
  serveTasks((task: LoadTask) => runLoad(task, sends), {});
}
