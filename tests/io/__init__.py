# ruff: noqa: A005 - the tests of hilum.io mirror its name
