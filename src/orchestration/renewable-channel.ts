import { Channel, type ChannelInterface, connectivityState } from '@grpc/grpc-js';

/** How long a connection may take to come up; a slow name server alone takes five seconds. */
const patienceMs = 20_000;

/** A gRPC channel that can leave its connection behind. */
export interface RenewableChannel extends ChannelInterface {
  /**
   * Later calls go over a connection made anew. Calls under way stay on the old one until they end. A connection that is
   * still being made is left to come up, and one beside it is used in its place if that is faster.
   */
  renew(): void;
}

/**
 * A channel in place of gRPC's own. That one keeps a connection on which nothing arrives any more for as long as its
 * keepalive takes to find out, up to 45 seconds with the SDK's settings, and waits as long for one that is being made.
 */
export function createRenewableChannel(...settings: ConstructorParameters<typeof Channel>): RenewableChannel {
  const [target, credentials, options] = settings;
  // Channels to one target share connections, dead ones included, unless they are told not to.
  const open = () => new Channel(target, credentials, { ...options, 'grpc.use_local_subchannel_pool': 1 });
  let current = open();
  let openedAtMs = performance.now();
  let rival: Channel | undefined;

  function use(next: Channel): void {
    const left = current;
    current = next;
    openedAtMs = performance.now();
    left.close();
  }

  function race(candidate: Channel): void {
    const slower = rival;
    rival = candidate;
    slower?.close();
    const follow = (): void => {
      if (rival !== candidate) return;
      const state = candidate.getConnectivityState(true);
      if (state !== connectivityState.READY) {
        candidate.watchConnectivityState(state, Infinity, follow);
        return;
      }
      rival = undefined;
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
      const unused = rival;
      rival = undefined;
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
