"""`hilum recipes`."""

from typing import Annotated

from cyclopts import Parameter


def recipes(*names: str, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the recipes: complete training runs, to be taken as they are or changed.

    ```
    hilum recipes
    hilum recipes xray_unet
    hilum recipes --json > recipes.json
    ```

    Parameters
    ----------
    names
        Recipes to show with every setting, as `hilum train -c` reads it; all are listed, briefly, when none is named.
    json
        Print JSON for programs, with every setting.
    """
    from hilum.workflows.recipes import list_recipes

    found = list_recipes(names)
    if json:
        from hilum.io.json_file import to_json

        described = [{"name": one.name, "summary": one.summary, "config": one.config.plain()} for one in found]
        print(to_json({"schema": "hilum.recipes/1", "recipes": described}))
        return 0
    if names:
        from hilum.workflows.train_config import as_yaml

        for one in found:
            print(f"# {one.name}: {one.description}\n{as_yaml(one.config)}")
        return 0
    for one in found:
        print(f"{one.name:<24} {one.summary}")
    print("\nhilum recipes NAME shows every setting.")
    return 0
