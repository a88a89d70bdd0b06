import type { AddressInfo } from 'node:net';
import type { Config } from './config.ts';
import { createAdmin, type AdminOptions } from './http/admin.ts';

/** Opens the operators' listener. It is the first to start and the last to stop. */
export async function startAdminListener({
  config,
  coreMetricsPort,
  ...options
}: Omit<AdminOptions, 'coreMetricsUrl'> & { config: Config; coreMetricsPort: number | undefined }) {
  const app = createAdmin({
    ...options,
    coreMetricsUrl: coreMetricsPort === undefined ? undefined : `http://127.0.0.1:${coreMetricsPort}/metrics`,
  });
  await app.listen({ host: config.admin.host, port: config.admin.port });
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://${config.admin.host.includes(':') ? `[${config.admin.host}]` : config.admin.host}:${port}`,
    stop: (): Promise<void> => app.close(),
  };
}
