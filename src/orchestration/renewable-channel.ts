import { Channel, type ChannelInterface, connectivityState } from '@grpc/grpc-js';

/** How long a connection may take to come up; a slow name server alone takes five seconds. */
const patienceMs = 20_000;

/** A gRPC channel that can leave its connection behind. */
export interface RenewableChannel extends ChannelInterface {
  /**
   * Later calls use a new connection. Calls under way stay on the old one until they end. A connection that is still
   * being made is kept, and a second one replaces it if the second is ready first.
   */
  renew(): void;
}

/**
 * A channel in place of gRPC's own, which leaves a silent connection only when its keepalive ends. With the SDK's settings
 * that takes up to 45 seconds.
 */
export function createRenewableChannel(...settings: ConstructorParameters<typeof Channel>): RenewableChannel {
  const [target, credentials, options] = settings;
  // Channels to one target share connections, dead ones included, unless they are told not to.
  const open = () => new Channel(target, credentials, { ...options, 'grpc.use_local_subchannel_pool': 1 });
  let current = open();
  let openedAtMs = performance.now();
  /** A second connection that is being made, to be used if it is ready before the current one. */
  let replacement: Channel | undefined;

  function use(next: Channel): void {
    const left = current;
    current = next;
    openedAtMs = performance.now();
    left.close();
  }

  function race(candidate: Channel): void {
    const slower = replacement;
    replacement = candidate;
    slower?.close();
    const follow = (): void => {
      if (replacement !== candidate) return;
      const state = candidate.getConnectivityState(true);
      if (state !== connectivityState.READY) {
        candidate.watchConnectivityState(state, Infinity, follow);
        return;
      }
      replacement = undefined;
      use(candidate);
    };
    follow();
  }

  return {
    createCall: (...call) => current.createCall(...call),
    getConnectivityState: (tryToConnect) => current.getConnectivityState(tryToConnect),
    watchConnectivityState: (...watch) => current.watchConnectivityState(...watch),
    getTarget: () => current.getTarget(),
    getChannelzRef: () => current.getChannelzRef(),
    close(): void {
      const unused = replacement;
      replacement = undefined;
      unused?.close();
      current.close();
    },
    renew(): void {
      const isMade = current.getConnectivityState(false) === connectivityState.READY;
      if (isMade || performance.now() - openedAtMs > patienceMs) use(open());
      else race(open());
    },
  };
}
