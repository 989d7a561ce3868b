# Completion of runner.py and critnb. To use it now: source <(python runner.py completion bash); for good, write it into a file
# that your shell's start-up reads. In zsh: source <(python runner.py completion zsh).
@ZSH@
_critnb_commands='@COMMANDS@'
_critnb_keys='@KEYS@'

# the options of a command
_critnb_options() {
    case "$1" in
@OPTIONS@
    esac
}

# what stands behind an option, or in a place without one ("COMMAND arguments"): words, or the name of a kind in angle brackets
_critnb_values() {
    case "$1 $2" in
@VALUES@
    esac
}

# run ids in the folder of the line's --runs-dir, else in runs/ beside runner.py, else here; $1 begins them
_critnb_runs() {
    local folder="$_critnb_folder" each
    for each in "$folder"/RUN_*; do
        each="${each##*/}"
        case "$each" in
            'RUN_*') ;;
            "$1"*) printf '%s\n' "${each%.partial}" ;;
        esac
    done
}

_critnb_params() {
    local each
    for each in "$_critnb_home"/params/*.yaml params/*.yaml; do
        [ -e "$each" ] && printf '%s\n' "${each##*/}"
    done
}

_critnb() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" n word command='' start=0 last='' found='' prefix=''
    local _critnb_home='.' _critnb_folder=''
    COMPREPLY=()
    for ((n = 0; n < COMP_CWORD; n++)); do
        word="${COMP_WORDS[n]}"
        case "$word" in
            runner.py | critnb) start=$n ;;
            */runner.py) start=$n _critnb_home="${word%/*}" ;;
        esac
        # --option=value comes in three parts
        [ "$word" = '=' ] && continue
        [ -n "$command" ] || [ "$n" -le "$start" ] || case "$word" in -*) ;; *) command="$word" ;; esac
        [ "$last" = --runs-dir ] && _critnb_folder="${word/#\~/$HOME}"
        last="$word"
    done
    [ -n "$_critnb_folder" ] || _critnb_folder="$_critnb_home/runs"
    if [ -z "$command" ]; then
        found="$(compgen -W "$_critnb_commands --help --version" -- "$cur")"
    else
        # bash gives a word with an equals sign in three parts, zsh in one
        word='' prefix=''
        if [ "$cur" = '=' ]; then
            word="$prev" prev="${COMP_WORDS[COMP_CWORD-2]}" cur=''
        elif [ "$prev" = '=' ]; then
            word="${COMP_WORDS[COMP_CWORD-2]}" prev="${COMP_WORDS[COMP_CWORD-3]}"
        elif [ "$prev" = --use ] && [ "$cur" != "${cur%%=*}" ]; then
            word="${cur%%=*}" prefix="${cur%%=*}="
        fi
        if [ -n "$word" ]; then
            [ "$prev" = --use ] && found="$(_critnb_runs "RUN_${word}_" | sort -u | sed "s/^/$prefix/")"
            COMPREPLY=($(compgen -W "$found" -- "$cur"))
            return
        fi
        case "$cur" in
            -*) found="$(compgen -W "$(_critnb_options "$command")" -- "$cur")" ;;
            *)
                case "$prev" in -*) ;; *) prev=arguments ;; esac
                word="$(_critnb_values "$command" "$prev")"
                # a switch takes nothing: what follows it is an argument
                [ -n "$word" ] || word="$(_critnb_values "$command" arguments)"
                case "$word" in
                    '<run>') found="$(compgen -W "$(_critnb_runs RUN_ | sort -u)" -- "$cur")" ;;
                    '<params>') found="$(compgen -W "$(_critnb_params | sort -u)" -- "$cur"; compgen -f -- "$cur")" ;;
                    '<folder>') found="$(compgen -d -- "$cur")" ;;
                    '<file>') found="$(compgen -f -- "$cur")" ;;
                    '<key>') found="$(compgen -W "$_critnb_keys" -- "$cur")"; compopt -o nospace +o filenames 2> /dev/null ;;
                    '<pin>') found="$(compgen -W '@PINS@' -- "$cur")"; compopt -o nospace +o filenames 2> /dev/null ;;
                    '<nothing>') ;;
                    *) found="$(compgen -W "$word" -- "$cur")" ;;
                esac
                ;;
        esac
    fi
    local IFS=$'\n'
    COMPREPLY=($found)
}

# python runner.py and python -m critnb; any other line of python is completed as without this
_critnb_python() {
    COMPREPLY=()
    case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
        runner.py* | */runner.py*) [ "$COMP_CWORD" -gt 1 ] && _critnb ;;
        '-m critnb') [ "$COMP_CWORD" -gt 2 ] && _critnb ;;
    esac
}

complete -o filenames -F _critnb runner.py critnb
for _critnb_each in python python3; do
    complete -p "$_critnb_each" > /dev/null 2>&1 || complete -o filenames -o default -F _critnb_python "$_critnb_each"
done
unset _critnb_each
