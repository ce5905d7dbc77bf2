/** Files that come with the page. Those of an exported page are scripts, which a page opened from disk may read too. */

export const exported = document.documentElement.dataset.exported !== undefined;

/** Addresses of files of an exported page, for those who ask by address. */
export const SCHEME = "export:";

const handed = new Map<string, string>();
const underway = new Map<string, Promise<ArrayBuffer>>();

/** Called by the scripts of an exported page: a path, and what is there in base 64. */
(globalThis as unknown as { groundshift: (path: string, text: string) => void }).groundshift = (path, text) => handed.set(path, text);

export class Missing extends Error {}

/** Add a script to the page, and wait until it has run. */
export function script(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = () => resolve();
    element.onerror = () => reject(new Missing(`404: ${address}`));
    document.head.append(element);
  });
}

async function unpack(path: string): Promise<ArrayBuffer> {
  await script(`${path}.js`);
  const text = handed.get(path) ?? "";
  handed.delete(path);
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}

export async function read(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  if (exported) {
    const asked = underway.get(path) ?? unpack(path).finally(() => underway.delete(path));
    underway.set(path, asked);
    return asked;
  }
  const answer = await fetch(path, { signal });
  if (answer.status === 404) throw new Missing(`404: ${path}`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.arrayBuffer();
}
