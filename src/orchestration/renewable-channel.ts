import { Channel, type ChannelInterface } from '@grpc/grpc-js';

/** A gRPC channel that can leave its connection behind. */
export interface RenewableChannel extends ChannelInterface {
  /** Later calls go over a connection made anew. Calls under way stay on the old one until they end. */
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
  return {
    createCall: (...call) => current.createCall(...call),
    getConnectivityState: (tryToConnect) => current.getConnectivityState(tryToConnect),
    watchConnectivityState: (...watch) => current.watchConnectivityState(...watch),
    getTarget: () => current.getTarget(),
    getChannelzRef: () => current.getChannelzRef(),
    close: () => current.close(),
    renew(): void {
      const left = current;
      current = open();
      left.close();
    },
  };
}
