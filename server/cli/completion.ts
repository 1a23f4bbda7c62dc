/**
 * `queen completion`: scripts for shells, made from the commands themselves.
 *
 * @module
 */
import type { Command, Option } from "commander";
import { print } from "./output.ts";

/** A command by its words, with what may follow. */
interface Node {
  /** Words after `queen`; empty for queen itself. */
  readonly words: string;
  readonly commands: readonly { name: string; summary: string }[];
  readonly options: readonly Option[];
  readonly choices: readonly string[];
}

/** Prints the script for a shell. */
export async function completion(program: Command, shell: string): Promise<void> {
  await print(completionScript(program, shell));
}

/**
 * Makes the script.
 *
 * @param shell - `bash`, `zsh` or `fish`.
 */
export function completionScript(program: Command, shell: string): string {
  const nodes = nodesOf(program, "");
  if (shell === "fish") return fish(nodes);
  return shell === "zsh" ? zsh(nodes) : bash(nodes);
}

function nodesOf(command: Command, words: string): Node[] {
  const visible = command.commands.filter((child) => child.name() !== "help");
  const help = command.createHelp();
  const own: Node = {
    words,
    commands: visible.map((child) => ({ name: child.name(), summary: child.summary() || child.description() })),
    options: help.visibleOptions(command),
    choices: command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
  };
  return [own, ...visible.flatMap((child) => nodesOf(child, `${words} ${child.name()}`.trim()))];
}

/** Candidates after the words of a node. */
function wordsOf({ commands, options, choices }: Node): string[] {
  return [...commands.map(({ name }) => name), ...choices, ...options.flatMap(flagsOf)];
}

function flagsOf(option: Option): string[] {
  return [option.short, option.long].filter((flag): flag is string => typeof flag === "string");
}

/** Options that take a value: the words of their command with a flag of theirs, and what the value may be; nothing where it is free. */
function valuesOf(nodes: readonly Node[]): { at: string; choices: readonly string[] }[] {
  return nodes.flatMap(({ words, options }) =>
    options
      .filter((option) => option.required)
      .flatMap((option) =>
        flagsOf(option).map((flag) => ({ at: `${words} ${flag}`.trim(), choices: option.argChoices ?? [] })),
      ),
  );
}

/** Shell code that finds, in the words typed so far, those that are names of commands. */
function bash(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => `    "${node.words}") candidates="${wordsOf(node).join(" ")}" ;;`);
  const values = valuesOf(nodes)
    .filter(({ choices }) => choices.length > 0)
    .map(({ at, choices }) => `    "${at}") COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$current")); return ;;`);
  return `# bash completion for queen
_queen() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" word candidates
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " ${nodes.map(({ words }) => words.replaceAll(" ", "_")).join(" ")} " in
      *" \${path:+\${path// /_}_}$word "*) path="\${path:+$path }$word" ;;
    esac
  done
  case "\${path:+$path }\${COMP_WORDS[COMP_CWORD-1]}" in
${values.join("\n")}
  esac
  case "$path" in
${cases.join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$candidates" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$(printf '%s\\n' $candidates | grep -v '^-')" -- "$current"))
    [[ \${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _queen queen`;
}

function zsh(nodes: readonly Node[]): string {
  const quoted = (text: string) =>
    text.replaceAll("'", "’").replaceAll(":", "\\:").replaceAll("[", "(").replaceAll("]", ")");
  const cases = nodes.map((node) => {
    const commands = [...node.commands, ...node.choices.map((name) => ({ name, summary: "" }))];
    const entries = [
      ...commands.map(({ name, summary }) => `'${name}:${quoted(summary)}'`),
      ...node.options.flatMap((option) => flagsOf(option).map((flag) => `'${flag}:${quoted(option.description)}'`)),
    ];
    return `    "${node.words}") candidates=(${entries.join(" ")}) ;;`;
  });
  const values = valuesOf(nodes).map(
    ({ at, choices }) => `    "${at}") ${choices.length > 0 ? `compadd ${choices.join(" ")}` : "_files"}; return ;;`,
  );
  return `#compdef queen
_queen() {
  local path_words="" word
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case " ${nodes.map(({ words }) => words.replaceAll(" ", "_")).join(" ")} " in
      *" \${path_words:+\${path_words// /_}_}$word "*) path_words="\${path_words:+$path_words }$word" ;;
    esac
  done
  case "\${path_words:+$path_words }$words[CURRENT-1]" in
${values.join("\n")}
  esac
  case "$path_words" in
${cases.join("\n")}
  esac
  _describe 'queen' candidates || _files
}
if [ "$funcstack[1]" = "_queen" ]; then _queen "$@"; else compdef _queen queen; fi`;
}

function fish(nodes: readonly Node[]): string {
  const quoted = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
  const lines = nodes.flatMap(({ words, commands, options, choices }) => {
    const when = `-n '__queen_at "${words}"'`;
    return [
      ...commands.map(({ name, summary }) => `complete -c queen -f ${when} -a ${name} -d '${quoted(summary)}'`),
      ...choices.map((choice) => `complete -c queen -f ${when} -a ${choice}`),
      ...options.map((option) => {
        const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
        const long = option.long === undefined ? "" : ` -l ${option.long.slice(2)}`;
        const values = option.argChoices === undefined ? "" : ` -f -a '${option.argChoices.join(" ")}'`;
        const value = option.required ? ` -r${values}` : "";
        return `complete -c queen ${when}${short}${long}${value} -d '${quoted(option.description)}'`;
      }),
    ];
  });
  return `# fish completion for queen
function __queen_at
  set -l path ""
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$path $word")
    if contains -- $next ${nodes
      .filter(({ words }) => words !== "")
      .map(({ words }) => `"${words}"`)
      .join(" ")}
      set path $next
    end
  end
  test "$path" = "$argv[1]"
end
${lines.join("\n")}`;
}
