import type { WorkerInterceptors } from '@temporalio/worker';

const signals = new WeakMap<object, AbortSignal>();

/** Aborts when the activity with this very input is cancelled: by a worker whose grace for running activities is over. */
export const signalOf = (input: object): AbortSignal | undefined => signals.get(input);

/** What a worker needs for {@link signalOf}, which is undefined elsewhere. */
export const signalInterceptors: WorkerInterceptors = {
  activity: [
    ({ cancellationSignal }) => ({
      inbound: {
        execute(call, next) {
          const [input] = call.args;
          if (typeof input === 'object' && input !== null) signals.set(input, cancellationSignal);
          return next(call);
        },
      },
    }),
  ],
};
