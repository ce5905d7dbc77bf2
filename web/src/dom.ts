/** Elements of the page. */

export const get = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

/** A new element with what is in it. */
export function element<K extends keyof HTMLElementTagNameMap>(tag: K, options: { class?: string; text?: string; html?: string } = {}, ...children: Node[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (options.class) made.className = options.class;
  if (options.text !== undefined) made.textContent = options.text;
  if (options.html !== undefined) made.innerHTML = options.html;
  made.append(...children);
  return made;
}

/** Hand a file to the browser, which saves it. */
export function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
