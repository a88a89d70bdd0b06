import { startPostgres } from './test/servers/postgres.ts';
import { spawn, execSync } from 'node:child_process'; import { once } from 'node:events'; import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
const cluster = await startPostgres();
const pid = Number(execSync(`ps -eo pid,args | grep -- 'port=${cluster.port} ' | grep -v grep | awk '{print $1}' | head -1`).toString());
const cpu = () => { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' '); return (Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14])) * 10; };
const rounds = Number(process.argv[2] ?? 3);
for (let r = 0; r < rounds; r++) for (const callers of (process.argv[3] ?? '1,16').split(',')) for (const root of r % 2 ? ['/tmp/wt/database', '/tmp/dbw/old'] : ['/tmp/dbw/old', '/tmp/wt/database']) {
  const url = cluster.urlOf(await cluster.createDatabase());
  const c = spawn('npx', ['tsx', '/tmp/dbw/bench.mts', root, callers, url, String(pid), process.argv[4] ?? '400'], { stdio: 'inherit', cwd: root, env: { ...process.env, npm_config_loglevel: 'silent' } });
  await once(c, 'exit');
}
await cluster.stop();
