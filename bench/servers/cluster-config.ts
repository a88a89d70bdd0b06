import { host, limits } from '../../local/temporal/dev-server.ts';
import { freePort } from '../../src/worker/free-port.ts';

/** The databases of Temporal itself. */
export const databases = { temporal: 'temporal', visibility: 'temporal_visibility' } as const;

export interface ClusterPorts {
  readonly frontend: number;
  readonly http: number;
  readonly postgres: number;
}

/**
 * The settings of one process with all four services, on free ports. JSON is YAML as well. Connections of all pools stay
 * below what a PostgreSQL of the tests has.
 */
export async function clusterConfig({ frontend, http, postgres }: ClusterPorts, dynamicConfigFile: string) {
  const store = (databaseName: string, maxConns: number) => ({
    sql: {
      ...{ pluginName: 'postgres12', databaseName, connectAddr: `${host}:${postgres}`, connectProtocol: 'tcp' },
      ...{ user: 'postgres', password: '', maxConns, maxIdleConns: maxConns, maxConnLifetime: '1h' },
    },
  });
  const service = async (grpcPort: number, more = {}) => ({
    rpc: { grpcPort, membershipPort: await freePort(), bindOnIP: host, ...more },
  });
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      ...{ defaultStore: 'default', visibilityStore: 'visibility', numHistoryShards: 4 },
      datastores: { default: store(databases.temporal, 20), visibility: store(databases.visibility, 10) },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: host } },
    services: {
      frontend: await service(frontend, { httpPort: http }),
      matching: await service(await freePort()),
      history: await service(await freePort()),
      worker: await service(await freePort()),
    },
    clusterMetadata: {
      ...{ enableGlobalNamespace: false, failoverVersionIncrement: 10 },
      ...{ masterClusterName: 'active', currentClusterName: 'active' },
      clusterInformation: {
        active: {
          ...{ enabled: true, initialFailoverVersion: 1 },
          ...{ rpcName: 'frontend', rpcAddress: `${host}:${frontend}` },
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: dynamicConfigFile, pollInterval: '10s' },
  };
}

/** The rates that the development server of this project has as well. */
export const dynamicConfig = Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, [{ value }]]));
