import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Plugin, defineConfig } from "vite";

/** NOTICE.txt: the licences of all packages of which something is in the page. */
function notice(): Plugin {
  const packages = new Map<string, string>();
  const add = (file: string): void => {
    let folder = dirname(file.split("?")[0].replace(/^\0/, ""));
    while (folder.includes("node_modules") && !(existsSync(join(folder, "package.json")) && JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version)) {
      folder = dirname(folder);
    }
    if (!folder.includes("node_modules")) return;
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file_ = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each));
    const text = file_ ? readFileSync(join(folder, file_), "utf8").trim() : `Licence: ${license}`;
    packages.set(name, `${name} ${version} (${license})\n\n${text}`);
  };
  return {
    name: "notice",
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) if (chunk.type === "chunk") for (const id of chunk.moduleIds) add(id);
      for (const name of Object.keys(JSON.parse(readFileSync(join(import.meta.dirname, "package.json"), "utf8")).dependencies)) add(join(import.meta.dirname, "node_modules", name, "package.json"));
      const rule = `\n\n${"-".repeat(78)}\n\n`;
      const head = "The page of the groundshift explorer holds parts of these packages. The outlines of\nland and countries are made from Natural Earth (public domain).";
      this.emitFile({ type: "asset", fileName: "NOTICE.txt", source: [head, ...[...packages.keys()].sort().map((name) => packages.get(name))].join(rule) + "\n" });
    },
  };
}

/** The outlines of the base map, compressed; the page unpacks them itself, whatever the web server does. */
function outlines(): Plugin {
  return {
    name: "outlines",
    generateBundle() {
      for (const name of ["countries-50m", "land-10m"]) {
        const text = readFileSync(join(import.meta.dirname, `node_modules/world-atlas/${name}.json`));
        this.emitFile({ type: "asset", fileName: `assets/${name}.bin`, source: gzipSync(text, { level: 9 }) });
      }
    },
  };
}

/** Files below a folder, with its name. */
const files = (folder: string): string[] =>
  readdirSync(join(import.meta.dirname, folder), { withFileTypes: true }).flatMap((each) => (each.isDirectory() ? files(`${folder}/${each.name}`) : [`${folder}/${each.name}`]));

/** source.sha256: of the files that the page was built from, so that a test sees a page that was not built again. */
function source(): Plugin {
  return {
    name: "source",
    generateBundle() {
      const hash = createHash("sha256");
      const names = [...files("src"), "index.html", "package-lock.json", "vite.config.ts"];
      for (const name of names.sort()) hash.update(name).update(readFileSync(join(import.meta.dirname, name)));
      this.emitFile({ type: "asset", fileName: "source.sha256", source: hash.digest("hex") + "\n" });
    },
  };
}

/** Plain scripts instead of modules, which a browser does not run from a page that was opened from disk. */
function plainScripts(): Plugin {
  return {
    name: "plain-scripts",
    transformIndexHtml: { order: "post", handler: (html) => html.replace('type="module" crossorigin', "defer").replace('rel="stylesheet" crossorigin', 'rel="stylesheet"') },
  };
}

const out = { outDir: "../src/groundshift/explore/page", target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: 2500 };

/** Two scripts: the page, and (--mode gl) what it loads for WebGL when its first picture is there. */
export default defineConfig(({ mode }) =>
  mode === "gl"
    ? {
        plugins: [notice()],
        publicDir: false,
        build: { ...out, emptyOutDir: false, lib: { entry: "src/gl.ts", formats: ["iife"], name: "groundshiftMap", fileName: () => "assets/gl.js" } },
        define: { "process.env.NODE_ENV": '"production"' },
      }
    : {
        base: "./",
        plugins: [outlines(), source(), plainScripts()],
        build: { ...out, emptyOutDir: true, cssCodeSplit: false, rollupOptions: { output: { format: "iife", entryFileNames: "assets/page.js", assetFileNames: "assets/page[extname]" } } },
        server: { proxy: { "/api": "http://127.0.0.1:8520" } },
      },
);
