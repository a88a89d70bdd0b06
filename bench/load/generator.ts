import { serveTasks } from './child.ts';
import { createHttpClient } from './http-client.ts';
import { kinds, type RequestKind } from './requests.ts';
import { type LoadTask, runLoad } from './task.ts';

/** A program of its own that sends HTTP requests, so that what they cost here is none of the service's. */
const clients = new Map<string, ReturnType<typeof createHttpClient>>();

function clientOf(url: string) {
  const client = clients.get(url) ?? createHttpClient(url);
  clients.set(url, client);
  return client;
}

serveTasks(async ({ url, ...task }: LoadTask & { readonly url: string }) => {
  const client = clientOf(url);
  let known = 0;
  return runLoad(task, (kind, context) => {
    if (typeof kind !== 'string') {
      const requests = [kind].flat();
      return (index) => {
        const request = requests[index % requests.length];
        if (request === undefined) throw new Error('there is no request to send');
        return client.send(request);
      };
    }
    const request = kinds[kind as RequestKind];
    return (index) => client.send(request(context, kind === 'know' ? known++ : index));
  });
}, {});
