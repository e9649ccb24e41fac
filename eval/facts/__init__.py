"""Facts against human values: time and casualties phrases, and incidents coded by people, their places and belligerents too."""
