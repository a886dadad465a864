// The committed dashboards as literals of the types that Grafana publishes (npm: @grafana/schema), checked by TypeScript:
// an unknown key, a missing one or a value of another type is an error. Run in a folder with package.json's dependencies:
//     node check.mjs FOLDER-OF-DASHBOARDS
// Enumerations become unions of their values, since JSON has only those; options of a panel may be left out, since Grafana
// fills in its defaults; queries, a data source's own, have no type there.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

const folder = process.argv[2];
const PANELS = {
  bargauge: 'bargauge', stat: 'stat', 'state-timeline': 'statetimeline', 'status-history': 'statushistory',
  table: 'table', text: 'text', timeseries: 'timeseries',
};

function files(root, ending) {
  return readdirSync(root, { recursive: true }).filter((name) => name.endsWith(ending)).sort();
}

function withoutEnums(text) {
  return text.replace(/export declare enum (\w+) \{([^}]*)\}/g, (_, name, body) => {
    const values = [...body.matchAll(/=\s*("[^"]*"|-?\d+)/g)].map((match) => match[1]);
    return `export type ${name} = ${values.join(' | ')};`;
  }).replace(/\b(VizOrientation|\w+Mode)\.\w+/g, (whole) => (/^[A-Z]\w+\.[A-Z]/.test(whole) ? 'any' : whole));
}

const done = new Map();

// Copies the published types without their enumerations, once a version, and returns where they are.
function copied(version) {
  if (done.has(version)) return done.get(version);
  const from = join('node_modules', version, 'dist');
  const to = join('types', version);
  const names = files(from, '.d.ts').filter((name) => /^(esm|types)\/(raw|common)\//.test(name));
  const find = (pattern) => {
    const found = names.find((name) => pattern.test(name));
    if (!found) throw new Error(`${version}: nothing published is named ${pattern}`);
    return join(to, found).replace(/\.d\.ts$/, '');
  };
  const common = find(/\/common\/common\.gen\.d\.ts$/);
  for (const name of names) {
    const file = join(to, name);
    const back = relative(dirname(file), common);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, withoutEnums(readFileSync(join(from, name), 'utf8')).replace(/'@grafana\/schema'/g, `'./${back}'`));
  }
  const paths = {
    dashboard: find(/\/raw\/dashboard\/x\/(dashboard_)?types\.gen\.d\.ts$/),
    panel: (kind) => find(new RegExp(`composable/${kind}/panelcfg/`)),
  };
  done.set(version, paths);
  return paths;
}

function literal(name, board, version) {
  const types = copied(version);
  const lines = [`import type { Dashboard } from './${types.dashboard}';`];
  for (const kind of new Set(Object.values(PANELS))) {
    const own = readFileSync(`${types.panel(kind)}.d.ts`, 'utf8');
    const fields = /export (interface|type) FieldConfig\b/.test(own) ? `FieldConfig as ${kind}Fields` : '';
    lines.push(`import type { ${[`Options as ${kind}Options`, fields].filter(Boolean).join(', ')} } from './${types.panel(kind)}';`);
    if (!fields) lines.push(`type ${kind}Fields = Record<string, unknown>;`);
  }
  lines.push(`const board: Dashboard = ${JSON.stringify(board, null, 1)};`);
  for (const panel of board.panels) {
    const kind = PANELS[panel.type];
    const own = panel.fieldConfig?.defaults?.custom ?? {};
    lines.push(`const o${panel.id}: Partial<${kind}Options> = ${JSON.stringify(panel.options ?? {})};`);
    lines.push(`const f${panel.id}: Partial<${kind}Fields> = ${JSON.stringify(own)};`);
  }
  const file = `check-${version}-${name.replace(/\W/g, '-')}.ts`;
  writeFileSync(file, `${lines.join('\n')}\nexport default [board];\n`);
  return file;
}

const boards = files(folder, '.json').map((name) => [name, JSON.parse(readFileSync(join(folder, name), 'utf8'))]);
for (const [, board] of boards) {
  for (const annotation of board.annotations.list) delete annotation.target;
}
const written = ['grafana-11', 'grafana-13'].flatMap((version) => boards.map(([name, board]) => literal(name, board, version)));
const program = ts.createProgram(written, {
  strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022,
  moduleResolution: ts.ModuleResolutionKind.Bundler, types: [],
});
const wrong = ts.getPreEmitDiagnostics(program);
for (const one of wrong) {
  const at = one.file?.getLineAndCharacterOfPosition(one.start ?? 0);
  console.log(`${one.file?.fileName}:${(at?.line ?? 0) + 1}: ${ts.flattenDiagnosticMessageText(one.messageText, '\n  ')}`);
}
console.log(`${written.length} checks of ${boards.length} dashboards: ${wrong.length} errors`);
process.exit(wrong.length ? 1 : 0);
