/**
 * dial(2) and its kin as Plan 9's C library has them: which files they open how, and what they read and
 * write there, in this order. What is read is cut and put together as it is there, so that what a real
 * program would stumble over makes a test fail.
 */
import type { OpenFile, Tree } from '../support/tree.ts';

/** The buffers of the library. */
const MAXPATH = 256;
const MAXSTRING = 128;

/** As `/net` is named in paths; the tests' trees begin below it. */
const inTree = (path: string): string => path.replace(/^\/net\//, '');

export interface Call {
  readonly data: OpenFile;
  /** Undefined: closed, as by who does not ask for it. */
  readonly ctl: OpenFile;
  /** `/net/tcp/3` */
  readonly dir: string;
}

export interface Ctl {
  readonly ctl: OpenFile;
  readonly dir: string;
}

/** open(2) */
export const open = (tree: Tree, path: string, mode: 'r' | 'w' | 'rw' = 'rw'): Promise<OpenFile> =>
  tree.open(inTree(path), mode);

export const read = async (file: OpenFile, count: number): Promise<string> =>
  (await file.read(count)).toString();

/**
 * What cs makes of an address: write, seek to the start, and a read for each answer. Where there is no cs
 * the address goes to clone as it is.
 */
export async function translate(tree: Tree, address: string): Promise<[clone: string, address: string][]> {
  const [proto = '', ...rest] = address.split('!');
  let cs: OpenFile;
  try {
    cs = await open(tree, '/net/cs');
  } catch {
    const port = rest[0] === '*' ? rest.slice(1) : rest;
    return [[`/net/${proto === 'net' ? 'tcp' : proto}/clone`, port.join('!')]];
  }
  try {
    await cs.write(address);
    const answers: [string, string][] = [];
    for (let at = 0; ;) {
      const answer = await cs.read(MAXSTRING - 1, at);
      if (answer.length === 0) return answers;
      at += answer.length;
      const [clone = '', to = ''] = answer.toString().split(' ');
      answers.push([clone, to]);
    }
  } finally {
    await cs.close();
  }
}

/** Opens clone and reads which conversation it is: the digits are appended to the directory as they come. */
async function cloned(tree: Tree, clone: string): Promise<Ctl> {
  const ctl = await open(tree, clone);
  const number = await read(ctl, MAXPATH - 1);
  return { ctl, dir: `${clone.slice(0, clone.lastIndexOf('/'))}/${number}` };
}

/** Tries each translation; the last error is the answer. */
export async function dial(tree: Tree, address: string, local?: string): Promise<Call> {
  let failure: unknown = new Error('cs answered nothing');
  for (const [clone, remote] of await translate(tree, address)) {
    try {
      return await call(tree, clone, remote, local);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function call(tree: Tree, clone: string, remote: string, local: string | undefined): Promise<Call> {
  const { ctl, dir } = await cloned(tree, clone);
  try {
    await ctl.write(local === undefined ? `connect ${remote}` : `connect ${remote} ${local}`);
    return { data: await open(tree, `${dir}/data`), ctl, dir };
  } catch (error) {
    await ctl.close();
    throw error;
  }
}

export async function announce(tree: Tree, address: string): Promise<Ctl> {
  const [[clone, local]] = (await translate(tree, address)) as [[string, string]];
  const announced = await cloned(tree, clone);
  await announced.ctl.write(`announce ${local}`);
  return announced;
}

/** Waits for a call; what is opened is its ctl, and the number read from it replaces the last element. */
export async function listen(tree: Tree, dir: string): Promise<Ctl> {
  const ctl = await open(tree, `${dir}/listen`);
  return { ctl, dir: `${dir.slice(0, dir.lastIndexOf('/'))}/${await read(ctl, MAXPATH - 1)}` };
}

const numberOf = (dir: string): string => dir.slice(dir.lastIndexOf('/') + 1);

/** Some networks want to be told; whether this one does is not looked at. */
export async function accept(tree: Tree, { ctl, dir }: Ctl): Promise<OpenFile> {
  await ctl.write(`accept ${numberOf(dir)}`).catch(() => {});
  return open(tree, `${dir}/data`);
}

/** Whether the network took it. */
export function reject({ ctl, dir }: Ctl, cause: string): Promise<boolean> {
  return ctl.write(`reject ${numberOf(dir)} ${cause}`).then(
    () => true,
    () => false,
  );
}

/** `local` or `remote`, as getnetconninfo(2) takes it apart: the last byte is cut off, whatever it is. */
export async function endpoint(tree: Tree, path: string): Promise<{ system: string; service: string }> {
  const file = await open(tree, path, 'r');
  const text = (await read(file, MAXSTRING)).slice(0, -1);
  await file.close();
  const bang = text.indexOf('!');
  return { system: text.slice(0, bang), service: text.slice(bang + 1) };
}
