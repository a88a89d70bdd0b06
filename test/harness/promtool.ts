import { spawnSync } from 'node:child_process';

const isInstalled = spawnSync('promtool', ['--version']).error === undefined;

if (!isInstalled) {
  if (process.env['CI'] !== undefined) throw new Error('promtool is missing: install Prometheus to check the metrics');
  console.warn('SKIPPED: promtool is missing, so names and format of the metrics are not checked. Install Prometheus.');
}

/** Whether `promtool` is on this machine. Without it the tests that need it are skipped, and with CI set they fail. */
export const hasPromtool = isInstalled;

/** What `promtool check metrics` has to say about an exposition; empty if it is content. */
export const checkMetrics = (exposition: string): string => said(['check', 'metrics'], exposition);

/** What `promtool check rules` has to say about a file of alert rules; empty if it is content. */
export const checkRules = (file: string): string => complaintOf(['check', 'rules', '--lint-fatal', file]);

/** What `promtool test rules` has to say about a file of series and of the alerts that they lead to; empty if it is content. */
export const testRules = (file: string): string => complaintOf(['test', 'rules', file]);

function complaintOf(args: readonly string[]): string {
  const answer = said(args);
  return answer.startsWith('exit') ? answer : '';
}

function said(args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return `${status === 0 ? '' : `exit ${status ?? 'by signal'}: `}${stdout}${stderr}`;
}
