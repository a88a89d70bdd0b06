import { TestWorkflowEnvironment } from '@temporalio/testing';

/** `node download.mjs <folder> <version>`: downloads the program into the folder, whatever happens after. */
const [folder, version] = process.argv.slice(2);
const executable = { type: 'cached-download', downloadDir: folder, version: `v${version}` };
try {
  const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
  await environment.teardown();
} catch {
  process.exit(1);
}
