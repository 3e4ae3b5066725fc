// Gets fuse-native from the npm registry into the run's folder. Whether it builds and loads depends on
// the machine; what is missing is said and the run goes on without it.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { npm } from '../dependencies/kit.mjs';

const PACKAGE = 'fuse-native@2.2.6';
const LOAD_MS = 5000;

async function loads(dir, env) {
  const script = 'require("fuse-native")';
  try {
    await promisify(execFile)(process.execPath, ['-e', script], { cwd: dir, env, timeout: LOAD_MS });
    return true;
  } catch {
    return false;
  }
}

/** The package brings a libfuse 2 but not under the name its addon asks for; giving it that name helps. */
function withBundledLibrary(dir) {
  const lib = path.join(dir, 'lib');
  const library = path.join(dir, 'node_modules/fuse-native/build/Release/libfuse.so');
  fs.mkdirSync(lib);
  fs.symlinkSync(library, path.join(lib, 'libfuse.so.2'));
  return { ...process.env, LD_LIBRARY_PATH: lib };
}

/** The folder it is in, and the environment that it loads in; throws where it cannot be had. */
export async function installFuseNative(tmp) {
  const packages = path.join(tmp, 'packages');
  fs.mkdirSync(packages);
  fs.writeFileSync(path.join(packages, 'package.json'), '{ "private": true }\n');
  const { code, stderr } = await npm(['install', '--no-audit', '--no-fund', PACKAGE], packages);
  if (code !== 0) throw new Error(`npm install ended with ${code}: ${stderr.trim().split('\n').at(-1)}`);
  if (await loads(packages, process.env)) return { packages, env: process.env };
  const env = withBundledLibrary(packages);
  if (await loads(packages, env)) return { packages, env };
  throw new Error('it was installed, but it does not load (it needs libfuse2 and a compiler)');
}
