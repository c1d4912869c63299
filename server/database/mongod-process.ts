import { spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface MongodProcess {
  /** Resolves with mongod's exit code, 128 + n for a signal n. */
  closed: Promise<number>;
  stop(): Promise<void>;
}

const stopTimeoutMs = 10_000;
const keeperName = 'counterfoil-mongod-keeper';

// Runs mongod and ends with its status. Its stdin is a pipe held by us: when we die, in whatever way, the pipe closes
// and mongod gets a SIGTERM. The watcher is a shell of its own, so it also does that when only the keeper was killed.
const keeperScript = `
exec 3<&0
"$@" 3<&- &
mongod=$!
{ read -r _ <&3; kill -TERM $mongod; } 2>/dev/null &
watcher=$!
wait $mongod
status=$?
kill $watcher
exit $status`;

/** Starts mongod beneath a keeper, in a process group of its own, so that Ctrl-C reaches us alone. */
export async function runMongod(mongod: string, args: string[], logFile: string): Promise<MongodProcess> {
  await rm(logFile, { force: true });
  const log = await open(logFile, 'a');
  const keeper = spawn('/bin/sh', ['-c', keeperScript, keeperName, mongod, ...args], {
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
  });
  await log.close();
  const signalGroup = (signal: NodeJS.Signals) => keeper.pid && sendSignal(-keeper.pid, signal);
  const closed = new Promise<number>((resolve) => {
    keeper.once('error', () => resolve(127));
    keeper.once('exit', (code, signal) => {
      signalGroup('SIGTERM');
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']);
    });
  });
  return {
    closed,
    async stop() {
      keeper.stdin?.end();
      await Promise.race([closed, sleep(stopTimeoutMs, undefined, { ref: false })]);
      signalGroup('SIGKILL');
      await closed;
    },
  };
}

/** What has already ended needs no signal. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {}
}

/**
 * Ends the mongod of `dbPath` if it was started with these arguments and its keeper is gone (Linux only, by /proc).
 * One whose keeper lives is either in use or just ending, and is left alone.
 */
export async function endOrphan(dbPath: string, args: string[]): Promise<void> {
  const pid = Number(await readFile(join(dbPath, 'mongod.lock'), 'utf8').catch(() => ''));
  const commandLine = await readCommandLine(pid);
  if (!args.every((argument) => commandLine.includes(argument))) return;
  const [, parent] = /^PPid:\s*(\d+)$/m.exec(await readProc(pid, 'status')) ?? [];
  if (!(await readCommandLine(Number(parent))).includes(keeperName)) sendSignal(pid, 'SIGTERM');
}

async function readCommandLine(pid: number): Promise<string[]> {
  return (await readProc(pid, 'cmdline')).split('\0');
}

function readProc(pid: number, name: string): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
}
